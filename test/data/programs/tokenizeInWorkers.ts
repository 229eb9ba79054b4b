/** Whether two threads make the same of many rows as one, and how a thread that fails is reported. */
import { mkdirSync, renameSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { PreferenceRow } from "../../../src/data/rows/preferenceRow";
import { tokenizeRows } from "../../../src/data/tokenize/tokenizePairs";
import { loadTokenizer } from "../../../src/text";
import { parseExact, rememberNumbers } from "../../../src/text/exactNumbers";
import { report } from "../../setup/report";
import { tinyFolder, tokenizerConfig } from "../../text/tiny";

async function main(): Promise<void> {
  const folder = tinyFolder();
  const tokenizer = await loadTokenizer(folder);
  const rows = Array.from({ length: 2000 }, (_, index): PreferenceRow => {
    const [prompt, chosen, rejected] = [`hello ${index}`, "lo".repeat(index % 7), `${index % 3}`];
    return { index, prompt, chosen, rejected };
  });
  const made = async (workers: number) => {
    let [calls, last] = [0, 0];
    const onProgress = (done: number) => void ([calls, last] = [calls + 1, done]);
    const options = { maxLength: 17, truncationMode: "keep_start", cacheDir: null, workers, onProgress } as const;
    const { statistics, ...result } = await tokenizeRows(rows, tokenizer, options);
    return { result, workers: statistics.workers, calls, last };
  };
  const [one, two] = [await made(0), await made(2)];
  const numbers = await writtenInWorkers();
  renameSync(folder, `${folder}-gone`);
  mkdirSync(folder);
  const failure = await made(2).then(
    () => "none",
    (error: Error) => error.message,
  );
  report({
    equal: isDeepStrictEqual(one.result, two.result),
    counts: [one.result.pairs, one.result.refused, one.result.cut].map(({ length }) => length),
    workers: two.workers,
    calls: two.calls,
    last: two.last,
    numbers,
    failure: failure.replace(folder, "FOLDER"),
  });
}

/** How a template writes the number 20.0 in the last of many rows. */
async function writtenInWorkers(): Promise<string> {
  const template = "{{ x }};{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}";
  const tokenizer = await loadTokenizer(tinyFolder({ "tokenizer_config.json": { ...tokenizerConfig, chat_template: template } }));
  const says = (content: string) => [{ role: "user", content }];
  const rows = Array.from({ length: 600 }, (_, index): PreferenceRow => {
    const chatTemplateKwargs = { x: 20 };
    rememberNumbers(chatTemplateKwargs, parseExact('{"x": 20.0}', "a test"));
    return { index, prompt: says("a"), chosen: says("b"), rejected: says("c"), chatTemplateKwargs };
  });
  const { pairs } = await tokenizeRows(rows, tokenizer, { cacheDir: null, workers: 2 });
  return tokenizer.decode(pairs.at(-1)!.chosen.ids);
}

void main();
