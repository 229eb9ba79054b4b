/** Expected values: transformers 5.24's `apply_chat_template` with `{{ messages | tojson }}`. */
import { expect, test } from "vitest";
import { type ChatMessage, loadTokenizer } from "../../src/text";
import { tinyFolder } from "./tiny";

const tokenizer = await loadTokenizer(tinyFolder());
const seen = (messages: ChatMessage[]) =>
  tokenizer.applyChatTemplate(messages, { chatTemplate: "{{ messages | tojson }}" });

test("leaves out keys whose value is null, in messages only", () => {
  const message = { role: "assistant", content: null, tool_calls: [{ id: null }] };
  expect(seen([message])).toBe('[{"role": "assistant", "tool_calls": [{"id": null}]}]');
  expect(message.content).toBeNull();
});

test.each([
  ["reasoning", '"reasoning": "why", "reasoning_content": "why"'],
  ["reasoning_content", '"reasoning_content": "why"'],
])("passes reasoning under every name that templates read: %s", (name, after) => {
  expect(seen([{ role: "assistant", content: "4", [name]: "why" }])).toBe(
    `[{"thinking": "why", "role": "assistant", "content": "4", ${after}}]`,
  );
});

test("uses the reasoning under the first name that has any", () => {
  expect(seen([{ role: "assistant", thinking: "b", reasoning_content: null, reasoning: "a" }])).toBe(
    '[{"thinking": "b", "role": "assistant", "reasoning": "a", "reasoning_content": "b"}]',
  );
});

test("says which message is not an object", () => {
  expect(() => seen([{ role: "user", content: "a" }, "text" as unknown as ChatMessage])).toThrow(
    "Expected an object such as { role: \"user\", content: \"…\" } for message 1 but received \"text\"",
  );
});
