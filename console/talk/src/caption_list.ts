import type { ServerMessage } from "../../client/src/index.ts";
import { type Caption, Captions } from "./captions.ts";
import { byId, make, within } from "./dom.ts";

/** This close to the end, in pixels, counts as reading the newest line. */
const AT_END = 48;

/** Behind a line of which nobody said how it ended. */
const BROKEN = " (broken off)";

/** The captions on the page. Each line is also read out, once, when it is final. */
export class CaptionList {
  readonly #box = byId("captions");
  readonly #list = within<HTMLOListElement>(this.#box, "ol");
  readonly #spoken = byId("spoken");
  readonly #captions = new Captions();
  readonly #shown = new Map<Caption, HTMLLIElement>();
  readonly #agent: string;
  /** Whether the person reads the newest line; whoever has scrolled back is left there. */
  #follows = true;
  readonly #resized = new ResizeObserver(() => {
    if (this.#follows) this.#box.scrollTop = this.#box.scrollHeight;
  });

  constructor(agent: string) {
    this.#agent = agent;
    this.clear();
    this.#box.classList.remove("whole");
    this.#box.onscroll = () => {
      this.#follows = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight < AT_END;
    };
    this.#resized.observe(this.#list);
  }

  /** Nothing more comes: all of it is shown at once. */
  end(): void {
    this.#settle();
    this.#resized.disconnect();
    this.#box.classList.add("whole");
  }

  /** What was said is nobody's business any more. */
  clear(): void {
    this.#resized.disconnect();
    this.#list.replaceChildren();
    this.#spoken.replaceChildren();
  }

  take(message: ServerMessage): void {
    // A call that was found again begins with `ready`: what was open before it is over.
    if (message.type === "ready") this.#settle();
    const line = this.#captions.take(message);
    if (line) this.#show(line);
  }

  #settle(): void {
    for (const line of this.#captions.settle()) this.#show(line);
  }

  #show(line: Caption): void {
    let item = this.#shown.get(line);
    if (!item) {
      item = make("li");
      this.#shown.set(line, item);
      this.#list.append(item);
    }
    const name = line.who === "caller" ? "You" : this.#agent;
    item.className = line.open ? `${line.who} open` : line.who;
    item.replaceChildren(make("b", name), line.text);
    if (line.lost !== "") item.append(make("s", line.lost), make("span", " (not heard)", "unseen"));
    if (line.broken) item.append(make("span", BROKEN, "note"));
    if (!line.open) {
      const cut = line.broken ? BROKEN : line.lost === "" ? "" : " (interrupted)";
      this.#spoken.append(make("p", `${name}: ${line.text}${cut}`));
    }
  }
}
