/** The element with this id, which stands in the page. */
export function byId<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as unknown as T;
}

/** The first element below `parent` that `selector` names. */
export function within<T extends Element = HTMLElement>(parent: ParentNode, selector: string): T {
  const found = parent.querySelector<T>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

/** A new element with text or children. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  content: string | Node[] = [],
  className = "",
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  element.append(...(typeof content === "string" ? [content] : content));
  return element;
}

/** A new part of a drawing. */
export function draw(name: string, attributes: Record<string, string | number>, content: (string | Node)[] = []): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...content);
  return element;
}
