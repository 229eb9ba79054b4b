/**
 * ARC-Challenge and HellaSwag: the correct choice against each wrong one. Question and choices are worded by the tasks
 * that evaluate on them, so that a model is trained on the very texts it is scored with.
 */
import { benchmarks } from "../../evaluate/benchmarks";
import { objectOf, textOf, textsOf } from "../../evaluate/fields";
import type { ChoiceTask, Question as Choices } from "../../evaluate/tasks/task";
import { type Question, type Recipe, type Row, Unusable } from "./recipe";

const NONE_CORRECT = "no choice is the correct one";

export const arc: Recipe = {
  name: "arc",
  dataset: "allenai/ai2_arc",
  subset: "ARC-Challenge",
  columns: { required: ["question", "choices", "answerKey"] },
  form:
    `Every row is as in allenai/ai2_arc, such as {"question": "Which is hot?", ` +
    `"choices": {"text": ["ice", "fire"], "label": ["A", "B"]}, "answerKey": "B"}.`,
  read(row) {
    const choices = objectOf(row, "choices");
    const labels = textsOf(choices, "label");
    if (labels.length < 2) return new Unusable("there is only one choice");
    return labels.includes(textOf(row, "answerKey")) ? asked("arc_challenge", row) : new Unusable(NONE_CORRECT);
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
    `Every row is as in Rowan/hellaswag, such as {"activity_label": "Baking", "ctx_a": "A man cracks an egg.", ` +
    `"ctx_b": "he", "endings": ["stirs it.", "sings."], "label": "0"}.`,
  read(row) {
    const endings = textsOf(row, "endings");
    if (endings.length < 2) return new Unusable("there is only one choice");
    // The test split has no labels.
    const label = typeof row.label === "number" ? String(row.label) : textOf(row, "label");
    return /^\d+$/.test(label) && Number(label) < endings.length ? asked("hellaswag", row) : new Unusable(NONE_CORRECT);
  },
};

function asked(task: string, row: Row): Question {
  const { item } = benchmarks.find(({ name }) => name === task) as ChoiceTask;
  const { text, choices, gold } = item(row) as Choices;
  const answers = choices.map((choice) => ` ${choice}`);
  return {
    subject: text,
    prompt: text,
    answer: answers[gold as number]!,
    wrong: () => answers.filter((_, i) => i !== gold),
  };
}
