// Runs a built Worker in workerd on this machine, with its databases migrated:
//
//   node serve-edge.mjs --build DIR --state DIR --vars FILE [--port N] [--host ADDRESS] [--until-stdin-closes] [--unasked]
//
// `--build`: a folder that `edge-build` made. `--state`: where databases and buckets live. `--vars`: the
// Worker's variables, lines of NAME=VALUE as in `.dev.vars`. `--port`: 0 chooses a free one.
// `--unasked`: the first request is the caller's (otherwise this program asks for `/health` before it says anything).
// When requests are answered it prints one JSON line {"url", "scheduled"}: `url` is the Worker itself (a
// socket of workerd's, this process's only child, nothing in between), and a GET of `scheduled` fires the
// cron handler and answers when it is done. The Worker's own log lines go to standard output and error.
// `wrangler dev` runs the same Worker; this starts in half the time and keeps Node off the request path.
import fs from "node:fs";
import path from "node:path";
import { parseArgs, parseEnv } from "node:util";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

const { values: options } = parseArgs({
  options: {
    build: { type: "string" },
    state: { type: "string" },
    vars: { type: "string" },
    port: { type: "string", default: "0" },
    host: { type: "string", default: "127.0.0.1" },
    "until-stdin-closes": { type: "boolean", default: false },
    unasked: { type: "boolean", default: false },
  },
});
const build = path.resolve(options.build);
const state = path.resolve(options.state);
const manifest = path.join(build, "worker.json");
if (!fs.existsSync(manifest)) {
  console.error(`the edge does not start: ${build} holds no Worker; build it first`);
  process.exit(1);
}
const worker = JSON.parse(fs.readFileSync(manifest, "utf8"));

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    unsafeTriggerHandlers: true,
    log: new Log(LogLevel.ERROR),
    handleRuntimeStdio(out, error) {
      out.pipe(process.stdout);
      error.pipe(process.stderr);
    },
    // Where `wrangler dev --persist-to STATE` keeps them.
    resourcePersistencePath: path.join(state, "v3"),
    workers: [
      {
        name: "nexus-edge",
        modulesRoot: build,
        modules: worker.modules.map((name) => ({
          type: name.endsWith(".wasm") ? "CompiledWasm" : "ESModule",
          path: path.join(build, name),
        })),
        compatibilityDate: worker.compatibility_date,
        compatibilityFlags: worker.compatibility_flags,
        bindings: options.vars ? parseEnv(fs.readFileSync(options.vars, "utf8")) : {},
        d1Databases: Object.fromEntries(Object.entries(worker.d1).map(([name, d1]) => [name, d1.id])),
        r2Buckets: worker.r2,
        // workerd's own file service in the place of the cloud's: the Worker fetches files by their path from either.
        serviceBindings: Object.fromEntries(
          Object.entries(worker.assets)
            .filter(([, directory]) => fs.existsSync(directory))
            .map(([name, directory]) => [name, { disk: { path: directory, writable: false } }]),
        ),
        unsafeDirectSockets: [{ host: options.host, port: Number(options.port) }],
      },
    ],
  }),
);

// One file is one transaction, noted in the table that `wrangler d1 migrations apply` keeps, so that
// either can follow the other. A statement ends with a semicolon at the end of a line.
async function migrate([binding, { migrations }]) {
  const files = fs.existsSync(migrations) ? fs.readdirSync(migrations).filter((name) => name.endsWith(".sql")).sort() : [];
  const db = await miniflare.getD1Database(binding);
  await db
    .prepare(
      "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    )
    .run();
  const done = new Set((await db.prepare("SELECT name FROM d1_migrations").all()).results.map((row) => row.name));
  for (const file of files.filter((name) => !done.has(name))) {
    const statements = fs
      .readFileSync(path.join(migrations, file), "utf8")
      .replace(/^[ \t]*--.*$/gm, "")
      .split(/;[ \t]*$/m)
      .map((text) => text.trim())
      .filter((text) => text);
    try {
      await db.batch([
        ...statements.map((text) => db.prepare(text)),
        db.prepare("INSERT INTO d1_migrations (name) VALUES (?1)").bind(file),
      ]);
    } catch (error) {
      throw new Error(`${path.join(migrations, file)} on ${binding}: ${error.message}`);
    }
  }
}

let stopping = false;
async function stop(code) {
  if (stopping) return;
  stopping = true;
  await miniflare.dispose().catch(() => {}); // says again that it did not start
  process.exit(code);
}
process.on("SIGTERM", () => stop(0));
process.on("SIGINT", () => stop(0));
if (options["until-stdin-closes"]) {
  process.stdin.resume();
  process.stdin.on("end", () => stop(0));
}

try {
  const control = await miniflare.ready;
  await Promise.all(Object.entries(worker.d1).map(migrate));
  const url = await miniflare.unsafeGetDirectURL("nexus-edge");
  if (options.vars && !options.unasked) {
    const health = await fetch(new URL("/health", url));
    if (!health.ok) throw new Error("/health says that it is misconfigured (the line above names what is wrong)");
  }
  const scheduled = new URL("/cdn-cgi/local/scheduled", control);
  console.log(JSON.stringify({ url: url.origin, scheduled: scheduled.href }));
} catch (error) {
  const inUse = error.code === "ERR_ADDRESS_IN_USE";
  const reason = inUse ? `port ${options.port} is in use` : error.message;
  if (!stopping) console.error(`the edge does not start: ${reason}`);
  await stop(1);
}
