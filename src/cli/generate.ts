/** `smaug generate`: a model's answers to a prompt or to conversations, streamed or as JSON. */
import { Command, Option } from "commander";
import { integer, optional } from "../base/arguments";
import { InputError } from "../base/errors";
import { parseIfJson, readInputText } from "../base/files/inputFiles";
import { kebabCase } from "../base/names";
import { given } from "../base/options";
import { printable } from "../base/terminal/printable";
import { excerpt, isObject, shown } from "../base/values";
import { templateInputs } from "../data/rows/preferenceRow";
import { type GenerateOptions, generateStream } from "../generate";
import { generationArguments } from "../generate/options";
import { type CausalLM, loadModel } from "../models";
import { type ChatMessage, loadTokenizer, type Tokenizer } from "../text";
import { hasNumber, parseExact, rememberNumbers } from "../text/exactNumbers";
import { adapterOption, deviceOption, dtypeOption, type ModelFlags, modelOption, option } from "./options";
import { printJson, tell } from "./output";

interface Flags extends ModelFlags {
  prompt?: string;
  messages?: string;
  maxNewTokens: number;
  temperature: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed?: number;
  stop?: string[];
  json?: boolean;
}

/** The text and the tokens of one prompt. */
interface Prompt {
  text: string;
  ids: number[];
}

const notes = `
--prompt is continued as it is: a chat template in the folder is not applied. --messages applies it to a file that
holds a list of {"role", "content"}, such a list on every line, or objects with "messages" and, optionally, "tools" and
"chat_template_kwargs".
The most likely token is taken unless --temperature is above 0. Sampling settings in the folder's
generation_config.json are not applied; its end-of-text tokens are. Without --seed, sampling differs every time.
--json prints an object a prompt: prompt, text, tokens, finish_reason (eos, stop, length), tokens_per_second.

Example:
  $ smaug generate --model models/SmolLM2-135M-Instruct --messages chat.json --temperature 0.7 --top-p 0.9 --seed 1
`;

export function generateCommand(): Command {
  const list = (text: string, before: string[] = []) => [...before, text];
  return new Command("generate")
    .addOption(modelOption().makeOptionMandatory())
    .addOption(adapterOption())
    .addOption(new Option("--prompt <text>", "the text to continue").conflicts("messages"))
    .option("--messages <file>", "the conversation to answer, JSON or JSON Lines")
    .addOption(option("--max-new-tokens <n>", generationArguments.maxNewTokens))
    .addOption(option("--temperature <t>", generationArguments.temperature))
    .addOption(option("--top-k <n>", optional(generationArguments.topK)))
    .addOption(option("--top-p <p>", optional(generationArguments.topP)))
    .addOption(option("--min-p <p>", optional(generationArguments.minP)))
    .addOption(option("--repetition-penalty <x>", optional(generationArguments.repetitionPenalty)))
    .addOption(option("--seed <n>", optional(integer(0, "the same seed draws the same tokens", { min: 0 }))))
    .option("--stop <text>", "end an answer before this text; may be given several times", list)
    .addOption(deviceOption())
    .addOption(dtypeOption())
    .option("--json", "print JSON instead of streaming text")
    .addHelpText("after", notes)
    .action(generate);
}

async function generate(flags: Flags): Promise<void> {
  const { model: folder, adapter, prompt, messages, json = false, device, dtype } = flags;
  if (prompt === undefined && messages === undefined)
    throw new InputError("Expected '--prompt' or '--messages' but received neither");
  const conversations = messages === undefined ? undefined : readConversations(messages);
  const sampling = samplingOf(flags);
  const tokenizer = await loadTokenizer(folder, { adapter });
  const prompts = conversations ? conversations.map((each) => render(tokenizer, each)) : [encode(tokenizer, prompt!)];
  const model = await loadModel(folder, { adapter, device, dtype });
  for (const [i, each] of prompts.entries()) {
    const answer = await answerTo(model, each, { ...sampling, tokenizer }, !json);
    if (json) printJson(answer);
    else process.stdout.write(i < prompts.length - 1 ? "\n\n" : "\n");
  }
}

/** @throws InputError for settings that have no effect */
function samplingOf({ maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop = [] }: Flags): GenerateOptions {
  const drawing = { topK, topP, minP };
  const idle = Object.entries(drawing).find(([, value]) => value !== undefined);
  if (temperature === 0 && idle)
    throw new InputError(
      `Expected '--temperature' above 0 with '--${kebabCase(idle[0])}' but received 0, which takes the most likely token`,
    );
  if (stop.includes("")) throw new InputError("Expected text for '--stop' but received none");
  return given({
    ...drawing,
    maxNewTokens,
    temperature,
    repetitionPenalty,
    seed: seed ?? Math.floor(Math.random() * 2 ** 53),
    stopStrings: stop,
  });
}

/** Continues a prompt. With `shows` the text goes to standard output as it comes. */
async function answerTo(
  model: CausalLM,
  { text: prompt, ids }: Prompt,
  options: GenerateOptions,
  shows: boolean,
): Promise<object> {
  // A terminal would obey control characters in a model's text; files and programs receive them unchanged.
  const shown = process.stdout.isTTY ? printable : (text: string) => text;
  const start = performance.now();
  let [text, tokens, finishReason] = ["", 0, "length"];
  for await (const event of generateStream(model, [ids], options)) {
    tokens++;
    text += event.text;
    finishReason = event.finishReason ?? finishReason;
    if (shows) process.stdout.write(shown(event.text));
  }
  const seconds = (performance.now() - start) / 1e3;
  return {
    prompt,
    text,
    tokens,
    finish_reason: finishReason,
    tokens_per_second: Number((tokens / seconds).toFixed(2)),
  };
}

function encode(tokenizer: Tokenizer, text: string): Prompt {
  const ids = tokenizer.encode(text);
  if (ids.length > 0) return { text, ids };
  throw new InputError("Expected text for '--prompt' but received none; the tokenizer adds no token of its own");
}

function render(tokenizer: Tokenizer, { messages, ...inputs }: Conversation): Prompt {
  const text = tokenizer.applyChatTemplate(messages, { ...inputs, addGenerationPrompt: true });
  return { text, ids: tokenizer.encode(text, { addSpecialTokens: false }) };
}

const FORM = 'It holds a list such as [{"role": "user", "content": "2 + 2?"}], or one on every line.';

/** Messages, with what else a chat template is given. */
type Conversation = { readonly messages: readonly ChatMessage[] } & ReturnType<typeof templateInputs>;

const KEYS = ["messages", "tools", "chat_template_kwargs"];

/** The conversations of a JSON or JSON Lines file. Keys that are not read are named once. */
function readConversations(file: string): Conversation[] {
  const unread = new Set<string>();
  const conversations = conversationsOf(file, unread);
  if (unread.size > 0) tell(`not read: ${[...unread].map((key) => excerpt(key)).join(", ")}`);
  return conversations;
}

function conversationsOf(file: string, unread: Set<string>): Conversation[] {
  const text = readInputText(file, "a file of conversations").replace(/^\ufeff/, "");
  const whole = parseIfJson(text, `'${file}'`);
  if (whole !== undefined) return [conversation(whole, `'${file}'`, text, unread)];
  const conversations: Conversation[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const place = `'${file}', line ${i + 1}`;
    const value = parseIfJson(line, place);
    if (value === undefined) throw new InputError(`Expected JSON in ${place} but received ${excerpt(line)}. ${FORM}`);
    conversations.push(conversation(value, place, line, unread));
  }
  if (conversations.length === 0) throw new InputError(`Expected a conversation in '${file}' but received none. ${FORM}`);
  return conversations;
}

/** @param text what `value` was read from */
function conversation(value: unknown, place: string, text: string, unread: Set<string>): Conversation {
  const exact = hasNumber(value) ? parseExact(text, place) : undefined;
  if (exact !== undefined) rememberNumbers(value, exact); // for the template
  const messages = isObject(value) ? value.messages : value;
  if (!Array.isArray(messages) || messages.length === 0)
    throw new InputError(`Expected a list of messages in ${place} but received ${shown(value)}. ${FORM}`);
  const wrong = messages.findIndex((each) => !(isObject(each) && typeof each.role === "string"));
  if (wrong >= 0)
    throw new InputError(
      `Expected an object with a 'role' for message ${wrong} in ${place} but received ` + `${shown(messages[wrong])}. ${FORM}`,
    );
  if (!isObject(value)) return { messages: messages as ChatMessage[] };
  for (const key of Object.keys(value)) if (!KEYS.includes(key)) unread.add(key);
  return {
    messages: messages as ChatMessage[],
    ...templateInputs(value, place, (key) => (isObject(exact) ? exact[key] : undefined)),
  };
}
