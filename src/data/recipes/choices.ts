/**
 * ARC-Challenge and HellaSwag: the correct choice against each wrong one. Questions and choices are worded as
 * lm-evaluation-harness 0.4.13 words them; the evaluation tasks use the same functions, so that a model is trained on
 * the very texts it is scored with.
 */
import { capitalize, strip } from "../../jinja";
import { objectOf, type Row, RowError, rightOf, textOf, textsOf } from "../fields";
import { type Recipe, type RecipeQuestion, Unusable } from "./recipe";

const NONE_CORRECT = "no choice is the correct one";

export const arc: Recipe = {
  name: "arc",
  dataset: "allenai/ai2_arc",
  subset: "ARC-Challenge",
  columns: { required: ["question", "choices", "answerKey"] },
  form:
    `every row is as in allenai/ai2_arc, such as {"question": "Which is hot?", ` +
    `"choices": {"text": ["ice", "fire"], "label": ["A", "B"]}, "answerKey": "B"}`,
  read(row) {
    const choices = objectOf(row, "choices");
    const labels = textsOf(choices, "label");
    if (labels.length < 2) return new Unusable("there is only one choice");
    return labels.includes(textOf(row, "answerKey")) ? asked(arcQuestion(row)) : new Unusable(NONE_CORRECT);
  },
};

export const hellaswag: Recipe = {
  name: "hellaswag",
  dataset: "Rowan/hellaswag",
  columns: {
    wanted: ["activity_label", "ctx_a", "ctx_b", "endings", "label"],
    required: ["activity_label", "ctx_a", "ctx_b", "endings", "label"],
  },
  form:
    `every row is as in Rowan/hellaswag, such as {"activity_label": "Baking", "ctx_a": "A man cracks an egg.", ` +
    `"ctx_b": "he", "endings": ["stirs it.", "sings."], "label": "0"}`,
  read(row) {
    const endings = textsOf(row, "endings");
    if (endings.length < 2) return new Unusable("there is only one choice");
    // The test split has no labels.
    const label = typeof row.label === "number" ? String(row.label) : textOf(row, "label");
    return /^\d+$/.test(label) && Number(label) < endings.length ? asked(hellaswagQuestion(row)) : new Unusable(NONE_CORRECT);
  },
};

function asked({ text, choices, gold }: ChoiceQuestion): RecipeQuestion {
  const answers = choices.map((choice) => ` ${choice}`);
  return { subject: text, prompt: text, answer: answers[gold]!, wrong: () => answers.filter((_, i) => i !== gold) };
}

/** A text and the choices that may continue it, of which one is right. */
export interface ChoiceQuestion {
  readonly text: string;
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly gold: number;
}

/** A row of allenai/ai2_arc. */
export function arcQuestion(row: Row): ChoiceQuestion {
  const choices = objectOf(row, "choices");
  const texts = textsOf(choices, "text");
  const labels = textsOf(choices, "label");
  if (labels.length !== texts.length)
    throw new RowError(`Expected as many labels as choices but received ${labels.length} and ${texts.length}`);
  const gold = rightOf(labels.indexOf(textOf(row, "answerKey")), texts, "answerKey", row);
  return { text: `Question: ${textOf(row, "question")}\nAnswer:`, choices: texts, gold };
}

/** A row of Rowan/hellaswag. */
export function hellaswagQuestion(row: Row): ChoiceQuestion {
  const choices = textsOf(row, "endings").map(withoutMarks);
  const context = `${textOf(row, "ctx_a")} ${capitalize(textOf(row, "ctx_b"))}`;
  const label = row.label;
  const gold = typeof label === "number" ? label : /^\d+$/.test(textOf(row, "label")) ? Number(label) : -1;
  return {
    text: withoutMarks(`${textOf(row, "activity_label")}: ${context}`),
    choices,
    gold: rightOf(gold, choices, "label", row),
  };
}

/** Removes the markup left over from WikiHow's pages. */
function withoutMarks(text: string): string {
  return strip(text, "strip")
    .replaceAll(" [title]", ". ")
    .replace(/\[.*?\]/g, "")
    .replaceAll("  ", " ");
}
