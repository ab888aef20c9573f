// The part of the HTTP API that a person who talks to agents needs.
import { type Addresses, addresses } from "./addresses.ts";
import { NexusError, type Problem } from "./problem.ts";
import type { EndReason, TurnLatency } from "./protocol.ts";

/** A person and their organisation. */
export interface Who {
  user: { id: string; email: string; role: string; created_at: string };
  org: { id: string; name: string; cell: "us" | "eu"; created_at: string };
}

/** What is shown of an agent; it has all of its settings too. */
export interface Agent {
  id: string;
  version: number;
  name: string;
  language: string;
  first_message: string | null;
  prompt: string;
}

/** What there is of a call's recording. */
export interface Recording {
  url: string;
  channels: number;
  encoding: string;
  sample_rate: number;
  bytes: number;
  duration_ms: number;
  /** Whether nothing more will come. */
  complete: boolean;
  client_bytes: number | null;
}

/** A call as the API shows it. */
export interface CallView {
  id: string;
  agent_id: string;
  status: "created" | "ringing" | "in_progress" | "ended";
  ended: { reason: EndReason } | null;
  created_at: string;
  answered_at: string | null;
  ended_at: string | null;
  duration_ms: number | null;
  latency_ms: { p50: number | null; p95: number | null };
  interruptions: number | null;
  cost_usd: number | null;
  recording: Recording | null;
}

/** How a call is opened. */
export interface Voice {
  /** The WebSocket's address. */
  url: string;
  protocol: string;
  /** Opens the call once, within a minute. */
  ticket: string;
  expires_at: string;
}

/** A turn of a transcript. */
export interface TranscriptTurn {
  turn: number;
  role: "user" | "agent";
  text: string;
  heard: string;
  cut: boolean;
  started_ms: number;
  ended_ms: number;
  latency_ms?: TurnLatency;
}

interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

interface Created {
  call: CallView;
  voice: Voice | null;
}

/** How a request is sent. */
interface How {
  token?: string | undefined;
  /** Let it outlive the page. */
  keepalive?: boolean;
}

/** What of the browser the API client uses. */
export interface ApiOptions {
  addresses?: Addresses;
  fetch?: typeof fetch;
  /** Milliseconds from some moment on. */
  now?: () => number;
}

/** Tokens are traded for new ones this long before they end, in ms. */
const EARLY_MS = 60_000;

/** The API as a logged-in person. Tokens are kept in memory alone: a page that is reloaded has none. */
export class Api {
  readonly addresses: Addresses;
  readonly #fetch: typeof fetch;
  readonly #now: () => number;
  #tokens: (Tokens & { until: number }) | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(options: ApiOptions = {}) {
    this.addresses = options.addresses ?? addresses();
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether somebody is logged in. */
  get isLoggedIn(): boolean {
    return this.#tokens !== undefined;
  }

  /** Creates an organisation and its owner. The answer does not tell whether the address was free. */
  async register(account: { email: string; password: string; org_name: string; cell: "us" | "eu" }): Promise<void> {
    await this.#plain("POST", "/api/auth/register", account);
  }

  /** Logs in. */
  async logIn(email: string, password: string): Promise<Who> {
    const response = await this.#plain("POST", "/api/auth/login", { email, password });
    const answer = (await response.json()) as Tokens & Who;
    this.#keep(answer);
    return { user: answer.user, org: answer.org };
  }

  /** Ends the login, here in any case. */
  async logOut(): Promise<void> {
    const token = this.#tokens?.refresh_token;
    this.#tokens = undefined;
    if (token) await this.#plain("POST", "/api/auth/logout", { refresh_token: token });
  }

  /** All agents of the organisation, newest first. */
  async agents(): Promise<Agent[]> {
    const agents: Agent[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const after: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await this.#json("GET", `/api/agents?limit=100${after}`)) as {
        data: Agent[];
        next_cursor: string | null;
      };
      agents.push(...page.data);
      cursor = page.next_cursor;
    }
    return agents;
  }

  /** Creates an agent. */
  async createAgent(settings: { name: string } & Record<string, unknown>): Promise<Agent> {
    return (await this.#json("POST", "/api/agents", settings)) as Agent;
  }

  /** Creates a call to an agent, with the ticket that opens it. */
  async createCall(agentId: string): Promise<{ call: CallView; voice: Voice }> {
    return opened((await this.#json("POST", "/api/calls", { agent_id: agentId, channel: "web" })) as Created);
  }

  /** A fresh ticket for a call whose connection was lost; `undefined` when the call is over. */
  async resumeCall(id: string): Promise<Voice | undefined> {
    try {
      return opened((await this.#json("POST", `/api/calls/${id}/resume`)) as Created).voice;
    } catch (error) {
      const over = error instanceof NexusError && error.problem.kind === "refused" && error.problem.status === 409;
      if (over) return undefined;
      throw error;
    }
  }

  /** Ends a call from outside, also from a page that is closing. */
  async endCall(id: string): Promise<void> {
    await this.#authorised("POST", `/api/calls/${id}/end`, undefined, { keepalive: true });
  }

  /** A call. */
  async call(id: string): Promise<CallView> {
    return (await this.#json("GET", `/api/calls/${id}`)) as CallView;
  }

  /** What was said and heard. */
  async transcript(id: string): Promise<TranscriptTurn[]> {
    return ((await this.#json("GET", `/api/calls/${id}/transcript`)) as { turns: TranscriptTurn[] }).turns;
  }

  /** The recording: a WAV, caller left, agent right. */
  async recording(id: string): Promise<Blob> {
    return (await this.#authorised("GET", `/api/calls/${id}/recording`)).blob();
  }

  async #json(method: string, path: string, body?: unknown): Promise<unknown> {
    return (await this.#authorised(method, path, body)).json();
  }

  async #authorised(method: string, path: string, body?: unknown, how: How = {}): Promise<Response> {
    if (!this.#tokens) throw new NexusError({ kind: "signed_out" });
    if (this.#now() > this.#tokens.until - EARLY_MS) await this.#refresh();
    try {
      return await this.#plain(method, path, body, { ...how, token: this.#tokens?.access_token });
    } catch (error) {
      const expired =
        error instanceof NexusError && error.problem.kind === "refused" && error.problem.code === "invalid_token";
      if (!expired) throw error;
      await this.#refresh();
      return this.#plain(method, path, body, { ...how, token: this.#tokens?.access_token });
    }
  }

  /** Trades the refresh token, once for all who wait: a second use of it would end the login. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#trade().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #trade(): Promise<void> {
    const token = this.#tokens?.refresh_token;
    if (token === undefined) throw new NexusError({ kind: "signed_out" });
    try {
      const response = await this.#plain("POST", "/api/auth/refresh", { refresh_token: token });
      this.#keep((await response.json()) as Tokens);
    } catch (error) {
      const refused = error instanceof NexusError && error.problem.kind === "wrong_password";
      if (!refused) throw error;
      this.#tokens = undefined;
      throw new NexusError({ kind: "signed_out" }, error);
    }
  }

  #keep({ access_token, refresh_token, expires_in }: Tokens): void {
    this.#tokens = { access_token, refresh_token, expires_in, until: this.#now() + expires_in * 1000 };
  }

  async #plain(method: string, path: string, body?: unknown, { token, keepalive = false }: How = {}): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["content-type"] = "application/json";
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    let response: Response;
    try {
      const init: RequestInit = { method, headers, credentials: "omit", cache: "no-store", keepalive };
      if (body !== undefined) init.body = JSON.stringify(body);
      response = await this.#fetch(this.addresses.backend + path, init);
    } catch (error) {
      throw new NexusError({ kind: "server_away" }, error);
    }
    if (!response.ok) throw new NexusError(await refusal(response));
    return response;
  }
}

function opened({ call, voice }: Created): { call: CallView; voice: Voice } {
  if (voice === null) throw new NexusError({ kind: "protocol", detail: "a new call without a ticket" });
  return { call, voice };
}

async function refusal(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const text = (name: string) => (typeof body[name] === "string" ? body[name] : "");
  const code = text("code");
  if (code === "invalid_credentials") return { kind: "wrong_password" };
  if (code === "wrong_cell") return { kind: "other_cell", address: text("address") };
  if (response.status === 429) {
    return { kind: "too_many", seconds: Number(response.headers.get("retry-after")) || 60 };
  }
  // A gateway's own page, or a server that is starting: nobody home.
  if (response.status >= 502 || (response.status >= 500 && code === "")) return { kind: "server_away" };
  const detail = text("detail") || `status ${response.status}`;
  return { kind: "refused", status: response.status, code, detail, requestId: text("request_id") };
}
