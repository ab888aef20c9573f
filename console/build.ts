// Builds the talk page into `build/console`: `index.html`, and `assets/` with names that change with
// their content. The edge serves both.
//
//     node console/build.ts
import fs from "node:fs";
import path from "node:path";
import { build, type BuildOptions } from "esbuild";

const root = path.resolve(import.meta.dirname, "..");
const out = path.join(root, "build/console");
const staging = `${out}.new`;
/** Where the edge serves `assets/`. */
const base = "/talk/assets/";

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  outdir: path.join(staging, "assets"),
  entryNames: "[name]-[hash]",
  metafile: true,
  logLevel: "warning",
} satisfies BuildOptions;

/** Builds one file; its address at the edge. */
async function file(entry: string, define: Record<string, string> = {}): Promise<string> {
  const { metafile } = await build({ ...common, entryPoints: [entry], define });
  const [made] = Object.keys(metafile.outputs);
  if (made === undefined) throw new Error(`${entry} came to nothing`);
  return base + path.basename(made);
}

fs.rmSync(staging, { recursive: true, force: true });
const worklets = "console/client/src/audio/worklets";
const style = await file("console/talk/style.css");
const script = await file("console/talk/src/main.ts", {
  CAPTURE_URL: JSON.stringify(await file(`${worklets}/capture.ts`)),
  PLAYBACK_URL: JSON.stringify(await file(`${worklets}/playback.ts`)),
  // The edge's own page talks to that edge: its policy allows nothing else.
  "import.meta.env": "{}",
});
const page = fs
  .readFileSync(path.join(root, "console/talk/index.html"), "utf8")
  .replace("style.css", style)
  .replace("src/main.ts", script);
fs.writeFileSync(path.join(staging, "index.html"), page);
// As a whole, so that a build that is stopped half-way leaves the old one.
fs.rmSync(out, { recursive: true, force: true });
fs.renameSync(staging, out);
console.log(`the talk page is built: ${path.relative(process.cwd(), out) || "."}`);
