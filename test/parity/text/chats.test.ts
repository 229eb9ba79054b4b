/** Rendered conversations against transformers: the templates of real models, and one of Python's corners. */
import { describe, expect, test } from "vitest";
import { type ChatMessage, ChatTemplateError, type JsonValue, loadTokenizer } from "../../../src/text";
import { ChatRenderer, templateMessages } from "../../../src/text/chatTemplate";
import { tokenizerFolder } from "./fetch";
import { fixture } from "./lines";

interface Conversation {
  messages: ChatMessage[];
  addGenerationPrompt: boolean;
  tools: boolean;
  kwargs?: Record<string, JsonValue>;
}

const { conversations, templates, tools } = fixture<{
  conversations: Conversation[];
  templates: Record<string, string>;
  tools: JsonValue[];
}>("conversations");

const expected = fixture<Record<string, (string | null)[]>>("chats");

/** The text, or null where the template refuses or fails. */
function rendered(render: () => string): string | null {
  try {
    return render();
  } catch (error) {
    if (error instanceof ChatTemplateError) return null;
    throw error;
  }
}

describe("renders what transformers renders", () => {
  test.each(["llama3", "qwen3", "gemma3"])(
    "%s",
    async (name) => {
      const tokenizer = await loadTokenizer(tokenizerFolder(name));
      const texts = conversations.map(({ messages, addGenerationPrompt, tools: given, kwargs = {} }) =>
        rendered(() =>
          tokenizer.applyChatTemplate(messages, {
            addGenerationPrompt,
            chatTemplateKwargs: kwargs,
            ...(given ? { tools } : {}),
          }),
        ),
      );
      expect(texts).toEqual(expected[name]);
    },
    180_000,
  );

  test.each(Object.keys(templates))("%s", async (name) => {
    const renderer = new ChatRenderer(templates);
    const texts = conversations.map(({ messages, addGenerationPrompt, tools: given, kwargs }) =>
      rendered(() =>
        renderer.render(name, {
          bos_token: "<s>",
          eos_token: "</s>",
          messages: templateMessages(messages),
          tools: given ? tools : null,
          documents: null,
          add_generation_prompt: addGenerationPrompt,
          ...kwargs,
        }),
      ),
    );
    expect(texts).toEqual(expected[name]);
  });
});
