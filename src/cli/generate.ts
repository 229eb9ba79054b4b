/** `smaug generate`: what a model folder answers to a prompt or to conversations, as it comes or as JSON. */
import { Command, InvalidArgumentError, Option } from "commander";
import { parseIfJson, readInputText } from "../base/files/inputFiles";
import { kebabCase } from "../base/names";
import { printable } from "../base/terminal/terminal";
import { excerpt, isObject, shown } from "../base/values";
import { templateInputs } from "../data/rows/preferenceRow";
import type { GenerateOptions, GeneratedToken } from "../generate";
import { InputError } from "../base/errors";
import type { ChatMessage, Tokenizer } from "../text";
import { hasNumber, parseExact, rememberNumbers } from "../text/exactNumbers";
import type { DType } from "../torch";
import { printJson, tell } from "./output";

interface Flags {
  model: string;
  adapter?: string;
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
  device: string;
  dtype?: DType | "auto";
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
    .description("continue a prompt or answer a conversation with a model")
    .requiredOption("--model <folder>", "the model, a folder or hub id; an adapter loads its base model with the adapter on it")
    .option("--adapter <folder>", "an adapter of the model, as PEFT or smaug saved it")
    .addOption(new Option("--prompt <text>", "the text to continue").conflicts("messages"))
    .option("--messages <file>", "the conversation to answer, JSON or JSON Lines")
    .option("--max-new-tokens <n>", "the most tokens of an answer", whole(1), 256)
    .option("--temperature <t>", "0: the most likely token; above: tokens drawn by chance", number(0), 0)
    .option("--top-k <n>", "draw among this many most likely tokens", whole(0))
    .option("--top-p <p>", "draw among the most likely tokens that make up this share", number(0, 1))
    .option("--min-p <p>", "draw among tokens at least this many times as likely as the first", number(0, 1))
    .option("--repetition-penalty <x>", "above 1: repeat less", number(Number.MIN_VALUE))
    .option("--seed <n>", "the same seed draws the same tokens", whole(0))
    .option("--stop <text>", "end an answer before this text; may be given several times", list)
    .option("--device <name>", "cpu, cuda, cuda:1", "cpu")
    .addOption(
      new Option("--dtype <name>", "of the weights; float32 on the CPU and auto elsewhere when left out").choices([
        "auto",
        "float32",
        "bfloat16",
        "float16",
        "float64",
      ]),
    )
    .option("--json", "print JSON instead of streaming text")
    .addHelpText("after", notes)
    .action(generate);
}

async function generate(flags: Flags): Promise<void> {
  const { model: folder, adapter, prompt, messages, json, device, dtype, ...rest } = flags;
  if (prompt === undefined && messages === undefined)
    throw new InputError("Expected '--prompt' or '--messages' but received neither");
  const conversations = messages === undefined ? undefined : readConversations(messages);
  const { stop = [], temperature, seed, ...settings } = rest;
  for (const name of ["topK", "topP", "minP"] as const)
    if (temperature === 0 && settings[name] !== undefined)
      throw new InputError(
        `Expected '--temperature' above 0 with '--${kebabCase(name)}' but received 0, which takes the most likely token`,
      );
  if (stop.includes("")) throw new InputError("Expected text for '--stop' but received none");

  const { loadModel } = await import("../models/index.js"); // loads libtorch
  const { loadTokenizer } = await import("../text/index.js");
  const { generateStream } = await import("../generate/index.js");
  const tokenizer = await loadTokenizer(folder, { adapter });
  const prompts = conversations ? conversations.map((each) => render(tokenizer, each)) : [encode(tokenizer, prompt!)];
  const model = await loadModel(folder, { adapter, device, dtype });
  const options: GenerateOptions = {
    ...settings,
    temperature,
    seed: seed ?? Math.floor(Math.random() * 2 ** 53),
    stopStrings: stop,
    tokenizer,
  };

  // A terminal would obey control characters in a model's text; files and programs receive them unchanged.
  const isTerminal = process.stdout.isTTY;
  for (const [i, { text, ids }] of prompts.entries()) {
    const start = performance.now();
    const answer = { tokens: 0, text: "", finishReason: "length" };
    for await (const event of generateStream(model, [ids], options)) {
      count(answer, event);
      if (!json) process.stdout.write(isTerminal ? printable(event.text) : event.text);
    }
    const seconds = (performance.now() - start) / 1e3;
    if (!json) process.stdout.write(i < prompts.length - 1 ? "\n\n" : "\n");
    else
      printJson({
        prompt: text,
        text: answer.text,
        tokens: answer.tokens,
        finish_reason: answer.finishReason,
        tokens_per_second: Number((answer.tokens / seconds).toFixed(2)),
      });
  }
}

function count(answer: { tokens: number; text: string; finishReason: string }, event: GeneratedToken): void {
  answer.tokens++;
  answer.text += event.text;
  if (event.finishReason) answer.finishReason = event.finishReason;
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
    if (value === undefined) throw new InputError(`Expected JSON in ${place} but found ${excerpt(line)}. ${FORM}`);
    conversations.push(conversation(value, place, line, unread));
  }
  if (conversations.length === 0) throw new InputError(`Expected a conversation in '${file}' but found none. ${FORM}`);
  return conversations;
}

/** @param text what `value` was read from */
function conversation(value: unknown, place: string, text: string, unread: Set<string>): Conversation {
  const exact = hasNumber(value) ? parseExact(text, place) : undefined;
  if (exact !== undefined) rememberNumbers(value, exact); // for the template
  const messages = isObject(value) ? value.messages : value;
  if (!Array.isArray(messages) || messages.length === 0)
    throw new InputError(`Expected a list of messages in ${place} but found ${shown(value)}. ${FORM}`);
  const wrong = messages.findIndex((each) => !(isObject(each) && typeof each.role === "string"));
  if (wrong >= 0)
    throw new InputError(
      `Expected an object with a 'role' for message ${wrong} in ${place} but found ` + `${shown(messages[wrong])}. ${FORM}`,
    );
  if (!isObject(value)) return { messages: messages as ChatMessage[] };
  for (const key of Object.keys(value)) if (!KEYS.includes(key)) unread.add(key);
  return {
    messages: messages as ChatMessage[],
    ...templateInputs(value, place, (key) => (isObject(exact) ? exact[key] : undefined)),
  };
}

function whole(from: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= from) return value;
    throw new InvalidArgumentError(`Expected an integer from ${from} on.`);
  };
}

function number(from: number, to = Number.MAX_VALUE): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= from && value <= to) return value;
    const range = to < Number.MAX_VALUE ? `from ${from} to ${to}` : from === 0 ? "from 0 on" : "above 0";
    throw new InvalidArgumentError(`Expected a number ${range}.`);
  };
}
