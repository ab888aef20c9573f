import { meterLevel } from "../../client/src/index.ts";
import { byId, within } from "./dom.ts";

/** How much of the level is left after each frame: it rises at once and falls slowly. */
const FALL = 0.9;

/** A level meter: rises at once, falls slowly, drawn once a frame. */
export class Meter {
  readonly #bar: HTMLElement;
  #target = 0;
  #shown = 0;
  #frame = 0;

  constructor(id: string) {
    this.#bar = within(byId(id), "i");
  }

  /** `level`: root mean square, 0 to 1. */
  set(level: number): void {
    this.#target = meterLevel(level);
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    this.#shown = Math.max(this.#target, this.#shown * FALL);
    if (this.#shown < 0.01) this.#shown = 0;
    this.#bar.style.transform = `scaleX(${Number(this.#shown.toFixed(3))})`;
    if (this.#shown > this.#target) this.#frame = requestAnimationFrame(() => this.#draw());
  }
}
