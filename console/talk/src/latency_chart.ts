import { STAGES, type ServerMessage, type TurnLatency } from "../../client/src/index.ts";
import { byId, draw, make, within } from "./dom.ts";
import { type Bar, bar, median, PARTS, ticks } from "./latency.ts";

/** The drawing's own units: as wide as a phone, so that its text is of the page's size there. */
const WIDTH = 360;
const ROW = 24;
const LEFT = 44;
const RIGHT = 58;
const AXIS = 20;

/** The times of the call's answers, as a drawing and as a table. */
export class LatencyChart {
  readonly #section = byId("latency");
  readonly #bars: Bar[] = [];

  constructor() {
    this.#section.hidden = true;
  }

  take(message: ServerMessage): void {
    if (message.type !== "turn") return;
    const made = bar(message.turn, message.latency_ms);
    if (!made) return;
    this.#bars.push(made);
    within(this.#section, ".chart").replaceChildren(drawing(this.#bars), legend());
    within(this.#section, ".scroll").replaceChildren(table(this.#bars));
    this.#section.hidden = false;
  }
}

function drawing(bars: readonly Bar[]): SVGElement {
  const marks = ticks(Math.max(...bars.map(({ total }) => total)));
  const most = marks.at(-1) ?? 1;
  const height = bars.length * ROW + AXIS;
  const x = (ms: number) => LEFT + ((WIDTH - LEFT - RIGHT) * ms) / most;
  const grid = marks.flatMap((ms) => [
    draw("line", { class: "grid", x1: x(ms), x2: x(ms), y1: 0, y2: height - AXIS }),
    draw("text", { class: "axis", x: x(ms), y: height - 4, "text-anchor": "middle" }, [
      ms >= 1000 ? `${ms / 1000} s` : ms === 0 ? "0" : `${ms} ms`,
    ]),
  ]);
  const rows = bars.flatMap((one, row) => {
    const y = row * ROW;
    return [
      draw("text", { x: 0, y: y + 16 }, [`Turn ${one.turn}`]),
      ...one.parts.map(({ name, from, to }) =>
        draw("rect", { class: name, x: x(from), y: y + 4, width: x(to) - x(from), height: ROW - 8 }),
      ),
      draw("text", { x: x(one.total) + 9, y: y + 16 }, [`${one.total} ms`]),
    ];
  });
  const title = `Answer times: ${bars.length} ${bars.length === 1 ? "answer" : "answers"}, median ${median(bars)} ms`;
  const attributes = { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": title };
  return draw("svg", attributes, [...grid, ...rows]);
}

function legend(): HTMLElement {
  return make(
    "ul",
    PARTS.map(({ name, words }) => make("li", [make("i", "", name), document.createTextNode(words)])),
    "legend",
  );
}

const HEADS: Record<keyof TurnLatency, string> = {
  endpoint: "turn found over",
  transcript: "words known",
  first_token: "first token",
  first_clause: "first clause",
  first_audio: "first audio",
  sent: "sent",
  heard: "heard",
};

function table(bars: readonly Bar[]): HTMLElement {
  const head = make("tr", ["Turn", ...STAGES.map((stage) => `${HEADS[stage]}, ms`)].map((words) => heading(words, "col")));
  const rows = bars.map(({ turn, latency }) =>
    make("tr", [heading(String(turn), "row"), ...STAGES.map((stage) => make("td", String(latency[stage] ?? "–")))]),
  );
  return make("table", [make("thead", [head]), make("tbody", rows)]);
}

function heading(words: string, scope: "col" | "row"): HTMLElement {
  const cell = make("th", words);
  cell.scope = scope;
  return cell;
}
