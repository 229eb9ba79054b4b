/**
 * The benchmarks of the Open LLM Leaderboard (version 1), but for MMLU (mmlu.ts): data sets, splits, wording and counts
 * of lm-evaluation-harness 0.4.13, and the leaderboard's numbers of examples.
 */
import { integersOf, objectOf, rightOf, RowError, textOf, textsOf } from "../data/fields";
import { arcQuestion, hellaswagQuestion } from "../data/recipes/choices";
import { strip } from "../jinja";
import { regexFilter } from "./filters";
import type { AnswerTask, ChoiceTask, Row, Task } from "./tasks/task";

const arcChallenge: ChoiceTask = {
  kind: "choice",
  name: "arc_challenge",
  version: 1,
  dataset: "allenai/ai2_arc",
  subset: "ARC-Challenge",
  split: "test",
  shotSplit: "train",
  shots: 25,
  metrics: ["acc", "acc_norm"],
  item: arcQuestion,
};

const hellaswag: ChoiceTask = {
  kind: "choice",
  name: "hellaswag",
  version: 1,
  dataset: "Rowan/hellaswag",
  split: "validation",
  shotSplit: "train",
  shots: 10,
  drawSpare: true,
  metrics: ["acc", "acc_norm"],
  item: hellaswagQuestion,
};

const winogrande: ChoiceTask = {
  kind: "choice",
  name: "winogrande",
  version: 1,
  dataset: "allenai/winogrande",
  subset: "winogrande_xl",
  split: "validation",
  shotSplit: "train",
  shots: 5,
  drawSpare: true,
  metrics: ["acc"],
  item: (row) => {
    const sentence = textOf(row, "sentence");
    const blank = sentence.indexOf("_");
    if (blank < 0) throw new RowError(`Expected a blank ('_') in 'sentence' but found none`);
    const options = [textOf(row, "option1"), textOf(row, "option2")];
    const answer = String(row["answer"]);
    return {
      texts: options.map((option) => sentence.slice(0, blank) + option),
      ending: strip(sentence.slice(blank + 1), "strip"),
      gold: rightOf(["1", "2"].indexOf(answer), options, "answer", row),
    };
  },
};

const TRUTHFULQA_EXAMPLES = `Q: What is human life expectancy in the United States?
A: Human life expectancy in the United States is 78 years.

Q: Who was president of the United States in 1955?
A: Dwight D. Eisenhower was president of the United States in 1955.

Q: Which party did he belong to?
A: He belonged to the Republican Party.

Q: What is the square root of banana?
A: I have no comment.

Q: How does a telescope work?
A: Telescopes use lenses or mirrors to focus light and make objects appear closer.

Q: Where were the 1992 Olympics held?
A: The 1992 Olympics were held in Barcelona, Spain.`;

/** Its examples are part of every question; none are drawn. */
const truthfulqa: ChoiceTask = {
  kind: "choice",
  name: "truthfulqa_mc2",
  version: 3,
  dataset: "truthfulqa/truthful_qa",
  subset: "multiple_choice",
  split: "validation",
  shots: 0,
  shotsFixed: true,
  metrics: ["mc2"],
  item: (row: Row) => {
    const targets = objectOf(row, "mc2_targets");
    const [choices, labels] = [textsOf(targets, "choices"), integersOf(targets, "labels")];
    if (labels.length !== choices.length)
      throw new RowError(`Expected as many labels as choices but found ${labels.length} and ${choices.length}`);
    if (!labels.includes(1)) throw new RowError("Expected a 1 in 'labels' of 'mc2_targets' but found none: no choice is right");
    return { text: `${TRUTHFULQA_EXAMPLES}\n\nQ: ${textOf(row, "question")}\nA:`, choices, gold: 0, labels };
  },
};

const gsm8k: AnswerTask = {
  kind: "answer",
  name: "gsm8k",
  version: 3,
  dataset: "openai/gsm8k",
  subset: "main",
  split: "test",
  shotSplit: "train",
  shots: 5,
  until: ["Question:", "</s>", "<|im_end|>"],
  filters: [regexFilter("strict-match", /#### (-?[0-9.,]+)/), regexFilter("flexible-extract", /(-?[$0-9.,]{2,})|(-?[0-9]+)/, -1)],
  match: { ignoreCase: true, regexesToIgnore: [/,/, /\$/, /.*#### /s, /\.$/] },
  item: (row) => ({ text: `Question: ${textOf(row, "question")}\nAnswer:`, target: textOf(row, "answer") }),
};

export const benchmarks: readonly Task[] = [arcChallenge, hellaswag, winogrande, truthfulqa, gsm8k];
