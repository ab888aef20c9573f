import type { ServerMessage } from "../../client/src/index.ts";
import { type Caption, Captions } from "./captions.ts";
import { byId, make, within } from "./dom.ts";

/** This close to the end, in pixels, counts as reading the newest line. */
const AT_END = 48;

/** The captions on the page. Each line is also read out, once, when it is final. */
export class CaptionList {
  readonly #box = byId("captions");
  readonly #list = within<HTMLOListElement>(this.#box, "ol");
  readonly #spoken = byId("spoken");
  readonly #captions = new Captions();
  readonly #shown = new Map<string, HTMLLIElement>();
  readonly #agent: string;
  /** Whether the person reads the newest line; whoever has scrolled back is left there. */
  #follows = true;
  readonly #resized = new ResizeObserver(() => {
    if (this.#follows) this.#box.scrollTop = this.#box.scrollHeight;
  });

  constructor(agent: string) {
    this.#agent = agent;
    this.#list.replaceChildren();
    this.#spoken.replaceChildren();
    this.#box.classList.remove("whole");
    this.#box.onscroll = () => {
      this.#follows = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < AT_END;
    };
    this.#resized.observe(this.#list);
  }

  /** Nothing more comes: all of it is shown at once. */
  end(): void {
    this.#resized.disconnect();
    this.#box.classList.add("whole");
  }

  take(message: ServerMessage): void {
    const line = this.#captions.take(message);
    if (line) this.#show(line);
  }

  #show(line: Caption): void {
    let item = this.#shown.get(line.key);
    if (!item) {
      item = make("li");
      this.#shown.set(line.key, item);
      this.#list.append(item);
    }
    const name = line.who === "caller" ? "You" : this.#agent;
    item.className = line.open ? `${line.who} open` : line.who;
    item.replaceChildren(make("b", name), line.text);
    if (line.lost !== "") item.append(make("s", line.lost), make("span", " (not heard)", "unseen"));
    if (!line.open) {
      const cut = line.lost === "" ? "" : " (interrupted)";
      this.#spoken.append(make("p", `${name}: ${line.text}${cut}`));
    }
  }
}
