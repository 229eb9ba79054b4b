/**
 * The benchmarks of the Open LLM Leaderboard (version 1): data sets, splits, wording and counts of
 * lm-evaluation-harness 0.4.13, and the leaderboard's numbers of examples.
 */
import { integersOf, objectOf, RowError, rightOf, textOf, textsOf } from "../data/fields";
import { arcQuestion, hellaswagQuestion } from "../data/recipes/choices";
import { strip } from "../jinja";
import { regexFilter } from "./metrics";
import type { AnswerTask, ChoiceTask, Group, Row, Task } from "./tasks/task";

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
    if (blank < 0) throw new RowError(`Expected a blank ('_') in 'sentence' but received none`);
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
      throw new RowError(`Expected as many labels as choices but received ${labels.length} labels and ${choices.length} choices`);
    if (!labels.includes(1))
      throw new RowError("Expected a 1 in 'labels' of 'mc2_targets' but received none: no choice is right");
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

/** MMLU is reported by four fields, each with its subjects, which are tasks of their own. */
const FIELDS: Readonly<Record<string, { alias: string; subjects: string }>> = {
  mmlu_stem: {
    alias: "stem",
    subjects:
      "abstract_algebra anatomy astronomy college_biology college_chemistry college_computer_science " +
      "college_mathematics college_physics computer_security conceptual_physics electrical_engineering " +
      "elementary_mathematics high_school_biology high_school_chemistry high_school_computer_science " +
      "high_school_mathematics high_school_physics high_school_statistics machine_learning",
  },
  mmlu_other: {
    alias: "other",
    subjects:
      "business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing " +
      "medical_genetics miscellaneous nutrition professional_accounting professional_medicine virology",
  },
  mmlu_social_sciences: {
    alias: "social sciences",
    subjects:
      "econometrics high_school_geography high_school_government_and_politics high_school_macroeconomics " +
      "high_school_microeconomics high_school_psychology human_sexuality professional_psychology public_relations " +
      "security_studies sociology us_foreign_policy",
  },
  mmlu_humanities: {
    alias: "humanities",
    subjects:
      "formal_logic high_school_european_history high_school_us_history high_school_world_history " +
      "international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy prehistory " +
      "professional_law world_religions",
  },
};

const mmluFields = Object.entries(FIELDS).map(([name, { alias, subjects }]) => ({
  name,
  alias,
  subjects: subjects.split(" "),
}));

const mmluTasks: readonly ChoiceTask[] = mmluFields.flatMap(({ subjects }) => subjects.map(subjectTask));

export const benchmarkGroups: readonly Group[] = [
  { name: "mmlu", version: "2", members: mmluFields.map(({ name }) => name) },
  ...mmluFields.map(({ name, alias, subjects }) => ({
    name,
    alias,
    version: "2",
    members: subjects.map((subject) => `mmlu_${subject}`),
  })),
];

function subjectTask(subject: string): ChoiceTask {
  const topic = subject.replaceAll("_", " ");
  return {
    kind: "choice",
    name: `mmlu_${subject}`,
    family: "mmlu",
    alias: subject,
    version: 1,
    dataset: "cais/mmlu",
    subset: subject,
    files: ["all/test-*", "all/dev-*"], // all subjects at once
    split: "test",
    shotSplit: "dev",
    shots: 5,
    sampler: "first",
    description: `The following are multiple choice questions (with answers) about ${topic}.\n\n`,
    metrics: ["acc"],
    item: (row) => {
      const options = textsOf(row, "choices");
      if (options.length !== 4) throw new RowError(`Expected four choices but received ${options.length}`);
      const lines = options.map((option, i) => `${"ABCD"[i]}. ${option}`);
      return {
        text: [strip(textOf(row, "question"), "strip"), ...lines, "Answer:"].join("\n"),
        choices: ["A", "B", "C", "D"],
        gold: rightOf(row["answer"] as number, options, "answer", row),
      };
    },
  };
}

export const benchmarks: readonly Task[] = [arcChallenge, hellaswag, winogrande, truthfulqa, gsm8k, ...mmluTasks];
