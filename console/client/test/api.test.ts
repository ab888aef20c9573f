import assert from "node:assert/strict";
import { test } from "node:test";
import { addresses, voiceAddress } from "../src/addresses.ts";
import { Api } from "../src/api.ts";
import { type Problem, problemOf } from "../src/problem.ts";

interface Asked {
  what: string;
  token: string | null;
  body: Record<string, unknown>;
  /** Whether it outlives the page. */
  keepalive: boolean;
}

/** An API whose server is `answer`. */
function api(answer: (asked: Asked) => Response | Promise<Response>): { api: Api; asked: Asked[]; later(ms: number): void } {
  const asked: Asked[] = [];
  let now = 0;
  const made = new Api({
    addresses: { backend: "https://edge", voice: "" },
    now: () => now,
    fetch: async (input, init) => {
      const token = new Headers(init?.headers).get("authorization");
      const body = typeof init?.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {};
      const keepalive = init?.keepalive === true;
      const one = { what: `${init?.method} ${String(input).replace("https://edge", "")}`, token, body, keepalive };
      asked.push(one);
      return answer(one);
    },
  });
  return { api: made, asked, later: (ms) => (now += ms) };
}

const json = (value: unknown, status = 200) => new Response(JSON.stringify(value), { status });
let issued = 0;
const tokens = () => {
  issued += 1;
  return { access_token: `a${issued}`, refresh_token: `r${issued}`, expires_in: 900, user: {}, org: {} };
};

async function problem(promise: Promise<unknown>): Promise<Problem> {
  try {
    await promise;
  } catch (error) {
    return problemOf(error);
  }
  throw new Error("nothing was refused");
}

test("tokens are traded before they end, once for all who wait", async () => {
  issued = 0;
  const { api: made, asked, later } = api(({ what }) => {
    if (what.includes("/auth/")) return json(tokens());
    return json({ data: [], next_cursor: null });
  });
  await made.logIn("a@b.c", "secret");
  await made.agents();
  later(850_000);
  await Promise.all([made.agents(), made.agents()]);
  assert.deepEqual(
    asked.map(({ what, token }) => `${what} ${token}`),
    [
      "POST /api/auth/login null",
      "GET /api/agents?limit=100 Bearer a1",
      "POST /api/auth/refresh null",
      "GET /api/agents?limit=100 Bearer a2",
      "GET /api/agents?limit=100 Bearer a2",
    ],
  );
  assert.deepEqual(asked[2]!.body, { refresh_token: "r1" });
});

test("a token that the server refuses is traded and the request repeated; no second chance after that", async () => {
  issued = 0;
  let valid = "Bearer a2";
  const { api: made } = api(({ what, token }) => {
    if (what.includes("/auth/")) return json(tokens());
    return token === valid ? json({ id: "call_1" }) : json({ code: "invalid_token", detail: "expired" }, 401);
  });
  await made.logIn("a@b.c", "secret");
  assert.equal((await made.call("call_1")).id, "call_1");
  valid = "none";
  assert.equal((await problem(made.call("call_1"))).kind, "refused");
});

test("a refresh that is refused means: log in again", async () => {
  const { api: made, later } = api(({ what }) => {
    if (what.includes("refresh")) return json({ code: "invalid_credentials" }, 401);
    return json(tokens());
  });
  await made.logIn("a@b.c", "secret");
  later(1_000_000);
  assert.deepEqual(await problem(made.agents()), { kind: "signed_out" });
  assert.equal(made.isLoggedIn, false);
  assert.deepEqual(await problem(made.agents()), { kind: "signed_out" });
});

test("lists are read to their end", async () => {
  const { api: made } = api(({ what }) => {
    if (what.includes("/auth/")) return json(tokens());
    return what.endsWith("cursor=a%2Fb") ? json({ data: [{ id: "2" }], next_cursor: null }) : json({ data: [{ id: "1" }], next_cursor: "a/b" });
  });
  await made.logIn("a@b.c", "secret");
  assert.deepEqual((await made.agents()).map(({ id }) => id), ["1", "2"]);
});

test("a call that is over is not resumed", async () => {
  const { api: made } = api(({ what }) => {
    if (what.includes("/auth/")) return json(tokens());
    return json({ code: "conflict", detail: "the call has ended" }, 409);
  });
  await made.logIn("a@b.c", "secret");
  assert.equal(await made.resumeCall("call_1"), undefined);
});

test("ending a call outlives the page, which may be closing", async () => {
  const { api: made, asked } = api(({ what }) => json(what.includes("/auth/") ? tokens() : { id: "call_1" }));
  await made.logIn("a@b.c", "secret");
  await made.endCall("call_1");
  const ended = asked.at(-1);
  assert.deepEqual([ended?.what, ended?.keepalive], ["POST /api/calls/call_1/end", true]);
});

test("every refusal is one of the known problems", async () => {
  const answers: [() => Response, Problem][] = [
    [() => json({ code: "invalid_credentials" }, 401), { kind: "wrong_password" }],
    [() => json({ code: "wrong_cell", address: "https://eu" }, 421), { kind: "other_cell", address: "https://eu" }],
    [() => new Response("{}", { status: 429, headers: { "retry-after": "7" } }), { kind: "too_many", seconds: 7 }],
    [() => new Response("<html>", { status: 502 }), { kind: "server_away" }],
    [() => json({ code: "unavailable" }, 503), { kind: "server_away" }],
    [
      () => json({ code: "internal", detail: "Something failed", request_id: "req_1" }, 500),
      { kind: "refused", status: 500, code: "internal", detail: "Something failed", requestId: "req_1" },
    ],
    [
      () => {
        throw new TypeError("fetch failed");
      },
      { kind: "server_away" },
    ],
  ];
  for (const [answer, expected] of answers) {
    assert.deepEqual(await problem(api(answer).api.logIn("a@b.c", "x")), expected);
  }
});

test("addresses: the page's own origin, or what the build names", () => {
  assert.deepEqual(addresses(undefined), { backend: "", voice: "" });
  const env = { VITE_BACKEND_URL: "https://api.example/", VITE_WS_URL: "https://voice.example" };
  assert.deepEqual(addresses(env), { backend: "https://api.example", voice: "https://voice.example" });
  assert.equal(voiceAddress("wss://a/v1/voice", addresses(undefined)), "wss://a/v1/voice");
  assert.equal(voiceAddress("wss://a/v1/voice?x=1", addresses(env)), "wss://voice.example/v1/voice?x=1");
});
