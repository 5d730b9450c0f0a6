// GitHub's own parser of workflows and evaluator of expressions, asked by lines of JSON: one question, one answer.
//
// {"workflow": TEXT} is parsed and checked against GitHub's schema: its jobs with their conditions, or the errors.
// {"expression": TEXT, ...} and {"text": TEXT with ${{ }}, ...} are evaluated, with `contexts` (github, needs, ...),
// `status` (what success(), failure() and cancelled() say) and `workspace` (where hashFiles() looks).

import { createHash } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const at = process.argv[2];
const load = (path) => import(pathToFileURL(join(at, "node_modules/@actions", path)));
const { data, Evaluator, Lexer, Parser } = await load("expressions/dist/index.js");
const { replacer } = await load("expressions/dist/data/replacer.js");
const { reviver } = await load("expressions/dist/data/reviver.js");
const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await load("workflow-parser/dist/index.js");

const EMBEDDED = /\$\{\{((?:'(?:''|[^'])*'|[^'])*?)\}\}/g;

function functions(asked) {
  const say = (value) => new data.BooleanData(value);
  const plain = { success: asked.status?.success, failure: asked.status?.failure, cancelled: asked.status?.cancelled, always: true };
  const made = Object.entries(plain).map(([name, value]) => ({ name, minArgs: 0, maxArgs: 0, call: () => say(Boolean(value)) }));
  const hashFiles = (...patterns) => {
    const files = patterns.flatMap((each) => globSync(each.coerceString(), { cwd: asked.workspace })).sort();
    const hash = createHash("sha256");
    const read = files.map((each) => join(asked.workspace, each)).filter((each) => statSync(each).isFile());
    for (const each of read) hash.update(createHash("sha256").update(readFileSync(each)).digest());
    return new data.StringData(read.length ? hash.digest("hex") : "");
  };
  return [...made, { name: "hashfiles", minArgs: 1, maxArgs: 255, call: hashFiles }];
}

function evaluate(expression, asked) {
  const contexts = JSON.parse(JSON.stringify(asked.contexts), reviver);
  const own = functions(asked);
  const names = contexts.pairs().map((each) => each.key);
  const tree = new Parser(new Lexer(expression).lex().tokens, names, own).parse();
  return new Evaluator(tree, contexts, new Map(own.map((each) => [each.name, each]))).evaluate();
}

function answer(asked) {
  if (asked.expression !== undefined) {
    const value = evaluate(asked.expression, asked);
    return { value: JSON.parse(JSON.stringify(value, replacer) ?? "null"), holds: Boolean(truthy(value)) };
  }
  const whole = asked.text.trim().match(new RegExp(`^${EMBEDDED.source}$`));
  if (whole && asked.text.match(EMBEDDED).length === 1) return answer({ ...asked, expression: whole[1] });
  return { value: asked.text.replace(EMBEDDED, (_, each) => evaluate(each, asked).coerceString()) };
}

function truthy(value) {
  const plain = JSON.parse(JSON.stringify(value, replacer) ?? "null");
  return !(plain === null || plain === false || plain === "" || plain === 0);
}

async function read(text) {
  const { context, value } = parseWorkflow({ name: "workflow.yml", content: text }, new NoOperationTraceWriter());
  const faults = () => context.errors.getErrors().map((each) => each.message);
  if (faults().length) return { errors: faults() };
  const workflow = await convertWorkflowTemplate(context, value);
  const jobs = workflow.jobs.map((job) => ({
    id: job.id.value,
    needs: (job.needs ?? []).map((each) => each.value),
    condition: job.if.expression,
    steps: job.steps.map((step) => ({ id: step.id, condition: step.if.expression })),
  }));
  return { errors: [...faults(), ...(workflow.errors ?? []).map((each) => each.Message)], jobs };
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  let said;
  try {
    said = asked.workflow === undefined ? answer(asked) : await read(asked.workflow);
  } catch (error) {
    said = { fault: `${error.message}: ${asked.expression ?? asked.text ?? ""}` };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
