// Reads workflows as GitHub does, with GitHub's own parser and without the network:
//
//   node check-workflows.mjs FILE...
//
// Prints a line for each fault (unknown keys, wrong types, expressions that cannot be, jobs that need none) and fails if there is one.
import fs from "node:fs";
import { registerHooks } from "node:module";

// The parser imports its schema as a module, without saying that it is JSON.
registerHooks({
  load(url, context, next) {
    return next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);
  },
});
const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import("@actions/workflow-parser");

let faults = 0;
for (const file of process.argv.slice(2)) {
  const content = fs.readFileSync(file, "utf8");
  const { context, value } = parseWorkflow({ name: file, content }, new NoOperationTraceWriter());
  if (context.errors.getErrors().length === 0) await convertWorkflowTemplate(context, value);
  for (const error of context.errors.getErrors()) {
    console.log(error.message);
    faults += 1;
  }
}
process.exit(faults === 0 ? 0 : 1);
