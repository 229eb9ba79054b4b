/** Chat templates, rendered as transformers renders them. */

import { isObject, shown } from "../base/values";
import {
  CHAT_ENVIRONMENT,
  JinjaError,
  limitReason,
  type PyFloat,
  parseReason,
  type Rendering,
  Template,
  TemplateRefusal,
} from "../jinja";
import { ChatTemplateError, ChatTemplateLimitError, ChatTemplateSyntaxError } from "./errors";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The value of a template variable: JSON, plus floats such as 20.0 and integers beyond 2^53 where they are known. */
export type TemplateValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PyFloat
  | readonly TemplateValue[]
  | { readonly [key: string]: TemplateValue | undefined };

/** One turn of a conversation. Templates define which further keys there may be (`tool_calls`, `reasoning_content`). */
export interface ChatMessage {
  readonly role: string;
  readonly content?: JsonValue;
  readonly [key: string]: JsonValue | undefined;
}

/** The variables of a chat template; undefined ones are left out. */
type Variables = Readonly<Record<string, TemplateValue | undefined>>;

/** Renders the chat templates of one folder. */
export class ChatRenderer {
  private readonly programs = new Map<string, Template>();

  private readonly places: Readonly<Record<string, string>>;
  private readonly seconds: number;

  /** `timeLimit`: the longest a template may run, in milliseconds; `places`: where each was read. */
  constructor(
    private readonly templates: Readonly<Record<string, string>>,
    { timeLimit = 5_000, places = {} }: { timeLimit?: number; places?: Readonly<Record<string, string>> } = {},
  ) {
    this.places = places;
    this.seconds = timeLimit / 1000;
  }

  get names(): string[] {
    return Object.keys(this.templates);
  }

  /** Renders the template of that name, or that template, or the folder's own, with these variables. */
  render(template: string | undefined, variables: Variables): string {
    return this.rendering(template, variables).text;
  }

  /** Like {@link render}, but also returns where the text of `{% generation %}` blocks is. */
  rendering(template: string | undefined, variables: Variables): Rendering {
    const source = this.choose(template, variables.tools !== null);
    const name = this.names.find((each) => this.templates[each] === source && this.places[each] !== undefined);
    const place = name === undefined ? "" : ` (${this.places[name]})`;
    const program = this.parse(source, place);
    try {
      return program.render(variables, this.seconds);
    } catch (error) {
      const reason = limitReason(error);
      if (reason !== undefined) throw new ChatTemplateLimitError(`The chat template${place} could not be rendered: it ${reason}`);
      if (error instanceof TemplateRefusal)
        throw new ChatTemplateError(`The chat template${place} refuses the conversation: ${error.message}`);
      if (error instanceof JinjaError)
        throw new ChatTemplateError(`The chat template${place} could not be rendered: ${error.located}`);
      throw error;
    }
  }

  private choose(template: string | undefined, tools: boolean): string {
    if (template !== undefined) return Object.hasOwn(this.templates, template) ? this.templates[template]! : template;
    const { tool_use: toolUse, default: ordinary } = this.templates;
    const found = tools ? (toolUse ?? ordinary) : ordinary;
    if (found !== undefined) return found;
    throw new ChatTemplateError(
      this.names.length > 0
        ? `Expected a name for 'chatTemplate' but received nothing; there are ${this.names.join(", ")}`
        : "Expected a chat template but the tokenizer has none; add a chat_template.jinja to its folder, " +
            "give one in 'chatTemplate', or use plain text",
    );
  }

  private parse(source: string, place: string): Template {
    const known = this.programs.get(source);
    if (known) return known;
    try {
      const template = new Template(source, CHAT_ENVIRONMENT);
      this.programs.set(source, template);
      return template;
    } catch (error) {
      const reason = parseReason(error);
      if (reason === undefined) throw error;
      throw new ChatTemplateSyntaxError(`Expected a Jinja template${place} but ${reason}`);
    }
  }
}

/** The keys under which a message's reasoning is passed; the first one present counts. gpt-oss reads the second. */
const REASONING = ["reasoning_content", "thinking", "reasoning"] as const;

/**
 * Copies of the messages as transformers' `apply_chat_template` hands them to a template: keys whose value is null are
 * left out, and reasoning is passed under all the names that templates read, whichever name it was given.
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
