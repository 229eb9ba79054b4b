/** MMLU: its 57 subjects as tasks of their own, and the four fields they are reported by, as in lm-evaluation-harness. */
import { strip } from "../jinja";
import { RowError, rightOf, textOf, textsOf } from "../data/fields";
import type { ChoiceTask, Group } from "./tasks/task";

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

const fields = Object.entries(FIELDS).map(([name, { alias, subjects }]) => ({
  name,
  alias,
  subjects: subjects.split(" "),
}));

export const mmluTasks: readonly ChoiceTask[] = fields.flatMap(({ subjects }) => subjects.map(subjectTask));

export const mmluGroups: readonly Group[] = [
  { name: "mmlu", version: "2", members: fields.map(({ name }) => name) },
  ...fields.map(({ name, alias, subjects }) => ({
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
      if (options.length !== 4) throw new RowError(`Expected four choices but found ${options.length}`);
      const lines = options.map((option, i) => `${"ABCD"[i]}. ${option}`);
      return {
        text: [strip(textOf(row, "question"), "strip"), ...lines, "Answer:"].join("\n"),
        choices: ["A", "B", "C", "D"],
        gold: rightOf(row["answer"] as number, options, "answer", row),
      };
    },
  };
}
