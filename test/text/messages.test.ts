/** Expected values: transformers 5.24's `apply_chat_template` with `{{ messages | tojson }}`. */
import { expect, test } from "vitest";
import { type ChatMessage, loadTokenizer } from "../../src/text";
import { tinyFolder } from "./tiny";

const tokenizer = await loadTokenizer(tinyFolder());
const seen = (messages: ChatMessage[]) => tokenizer.applyChatTemplate(messages, { chatTemplate: "{{ messages | tojson }}" });

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
    'Expected an object such as { role: "user", content: "…" } for message 1 but received "text"',
  );
});

test.each([
  [{ chatTemplateKwargs: { chat_template: "x" } }, "received 'chat_template', which is an argument of apply_chat_template"],
  [{ chatTemplateKwargs: { messages: [] } }, "received 'messages', which is an argument of apply_chat_template"],
  [{ chatTemplateKwargs: ["x"] }, "Expected an object for 'chatTemplateKwargs' but received [\"x\"]"],
  [{ chatTemplate: 3 }, "Expected a template, or the name of one, for 'chatTemplate' but received 3"],
  [{ tools: "f" }, "Expected a list of tools for 'tools' but received \"f\""],
  [{ chatTemplateKwargs: { d: new Map([["a", 1]]) } }, "a Map is not a value for a template"],
  [{ chatTemplateKwargs: { d: new Float32Array(2) } }, "a Float32Array is not a value for a template"],
])("nothing that is passed is ignored: %j", (options, message) => {
  expect(() => tokenizer.applyChatTemplate([{ role: "user", content: "a" }], { chatTemplate: "", ...options } as object)).toThrow(
    message,
  );
});

test("variables without a value may have any name, as Parquet writes null for those of other rows", () => {
  const options = { chatTemplate: "{{ a }}", chatTemplateKwargs: { a: 1, tools: null, chat_template: null } };
  expect(tokenizer.applyChatTemplate([{ role: "user", content: "a" }], options)).toBe("1");
});
