/**
 * Messages as transformers' `apply_chat_template` hands them to a template: keys whose value is null are left out, and
 * reasoning is passed under all the names that templates read, whichever name it was given.
 */
import { isObject, shown } from "../base/values";
import type { ChatMessage, JsonValue } from "./chatTemplate";

/** The keys under which a message's reasoning is passed; the first one present counts. gpt-oss reads the second. */
const REASONING = ["reasoning_content", "thinking", "reasoning"] as const;

/**
 * Copies of the messages for a template; the originals are not changed.
 *
 * @throws TypeError for a message that is not an object
 */
export function templateMessages(messages: readonly ChatMessage[]): readonly JsonValue[] {
  return messages.map((message, i) => {
    if (!isObject(message))
      throw new TypeError(
        `Expected an object such as { role: "user", content: "…" } for message ${i} but received ${shown(message)}`,
      );
    const given = Object.fromEntries(
      Object.entries(message).filter((entry): entry is [string, JsonValue] => (entry[1] ?? null) !== null),
    );
    const name = REASONING.find((each) => Object.hasOwn(given, each));
    if (name === undefined) return given;
    // The order matters to a template that prints a whole message.
    return { thinking: given[name]!, ...given, reasoning_content: given[name]! };
  });
}
