/** What a message has to be: of the family of errors, naming what it is about, in words that a user can act on. */

const RAW = [
  "Cannot read properties of",
  "Cannot set properties of",
  "Cannot convert undefined",
  "Cannot destructure",
  "Cannot access '",
  "is not a function",
  "is not iterable",
  "is not a constructor",
  "is not defined",
  "Maximum call stack",
  "Invalid array length",
  "Invalid string length",
  "Invalid typed array length",
  "Array buffer allocation failed",
  "Invalid regular expression: missing",
  "[object Object]",
  "offset is outside",
  "Illegal invocation",
  'The "path" argument',
  'The "list" argument',
  "ERR_",
  "std::",
  "bad_alloc",
  "to a BigInt",
  "MDB_",
];
/** What the parser of templates says of `{{ x() }}` where x is not a function, which is the right word. */
const CALL_IN_TEMPLATE = /call something that is not a function/g;
/** A system error as Node words it, with nothing said before it. */
const BARE_SYSTEM = /^(error: )?E[A-Z]{2,}: /m;
const STACK = /^\s+at .*(:\d+:\d+\)?|<anonymous>\)|node:internal)/m;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const MAX_MESSAGE = 20_000;

/** What is unclear about a message, or undefined. `names`: it has to hold one of them. */
export function unclear(message, names = []) {
  const raw = RAW.find((phrase) => message.replace(CALL_IN_TEMPLATE, "").includes(phrase));
  if (raw !== undefined) return `the message has '${raw}'`;
  // "is undefined" and "undefined values" are Jinja's own words.
  if (/(?<!\bis )\bundefined\b(?! values)/.test(message)) return "the message has 'undefined'";
  if (BARE_SYSTEM.test(message)) return "the message is a bare system error";
  if (message.length > MAX_MESSAGE) return `the message has ${message.length} characters`;
  if (names.length > 0 && !names.some((name) => message.includes(name))) return `the message names none of ${names.join(", ")}`;
  return undefined;
}

/**
 * What is wrong with an error that bad input raised inside a process, or undefined.
 *
 * @param isInput whether an error is of the family that ends a command with exit code 2
 */
export function unclearError(error, names, isInput) {
  if (!(error instanceof Error)) return `threw ${String(error)}, which is not an Error`;
  if (!isInput(error)) return `threw a ${error.name}, not an InputError`;
  return unclear(error.message, names);
}

/**
 * The fault in how a command ended, or undefined: `{ type, text }`.
 *
 * @param outcome of `children.run`
 * @param codes exit codes that are right; 1 and 2 ask for a message
 * @param isData whether stdout is what a model wrote, which is not escaped
 */
export function judgeCommand(outcome, { codes = [0, 2], names = [], isData = false } = {}) {
  const { code, signal, reason, stderr, stdout } = outcome;
  if (reason === "hang" || reason === "memory") return { type: reason, text: limitText(outcome) };
  if (reason === "killed") return undefined;
  if (signal !== null || code > 130 || code === -1)
    return { type: "crash", text: `ended by ${signal ?? `code ${code}`}: ${tail(stderr)}` };
  if (STACK.test(stderr)) return { type: "unclear", text: `a stack trace on stderr: ${tail(stderr)}` };
  if (CONTROL.test(stderr) || (!isData && CONTROL.test(stdout)))
    return { type: "unclear", text: "control characters in the output" };
  if (!codes.includes(code)) return { type: "unclear", text: `exit code ${code}, not ${codes.join(" or ")}: ${tail(stderr)}` };
  return code === 1 || code === 2 ? judgeMessage(code, stderr, names) : undefined;
}

function judgeMessage(code, stderr, names) {
  const said = lastError(stderr);
  if (said === undefined) return { type: "unclear", text: `exit code ${code} without a message: ${tail(stderr)}` };
  const why = unclear(said, code === 2 ? names : []);
  return why === undefined ? undefined : { type: "unclear", text: `${why}: ${said.slice(0, 400)}` };
}

export function limitText({ reason, peak, seconds }) {
  return reason === "memory" ? `${Math.round(peak / 2 ** 20)} MiB resident` : `no end after ${seconds.toFixed(0)} s`;
}

/** The message that ended a command. */
function lastError(stderr) {
  const at = stderr.lastIndexOf("error: ");
  return at < 0 ? undefined : stderr.slice(at);
}

export const tail = (text, count = 300) => text.trim().slice(-count);
