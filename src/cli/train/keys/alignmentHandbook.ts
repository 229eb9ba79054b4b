/** Keys of Hugging Face's alignment-handbook; many TRL configurations started as its recipes. */
import { isObject } from "../../../base/values";
import { type Answer, each, isEmpty, leaveOut, moot, type Project, plain, write } from "./answer";

const mixtures = "only one data set is supported: put the files in one folder and set dataset_name to it";

/** `dataset_mixer: { id: share }`. */
function mixer(value: unknown): Answer {
  const entries = isObject(value) ? Object.entries(value) : [];
  const [first] = entries;
  if (entries.length !== 1 || Number(first![1]) !== 1) return leaveOut(mixtures);
  return write({ dataset_name: first![0] });
}

function splits(value: unknown): Answer {
  const [train, test, ...more] = Array.isArray(value) ? (value as unknown[]) : [value];
  if (typeof train !== "string" || more.length > 0) return leaveOut("use dataset_train_split and dataset_test_split");
  return write({ dataset_train_split: train, ...(typeof test === "string" ? { dataset_test_split: test } : {}) });
}

/** `dataset_mixture: { datasets: [{ id, config, split, columns, weight }], seed, test_split_size }`. */
function mixture(value: unknown): Answer {
  const { datasets, test_split_size: test } = isObject(value) ? value : {};
  const [first, ...more] = Array.isArray(datasets) ? (datasets as unknown[]) : [];
  if (!isObject(first) || more.length > 0 || typeof first["id"] !== "string" || Number(first["weight"] ?? 1) !== 1)
    return leaveOut(mixtures);
  const { id, config, split } = first;
  return write({
    dataset_name: id,
    ...(typeof config === "string" ? { dataset_config: config } : {}),
    ...(typeof split === "string" ? { dataset_train_split: split } : {}),
    ...(isEmpty(test) ? {} : { test_split_size: plain(test) }),
  });
}

function configs(value: unknown): Answer {
  const [name, ...more] = Array.isArray(value) ? (value as unknown[]) : [value];
  return more.length === 0 ? write({ dataset_config: name }) : leaveOut(mixtures);
}

export const alignmentHandbook: Project = {
  owner: "the alignment-handbook's",
  isOff: (_, value) => isEmpty(value),
  rules: {
    ...each(
      "preprocessing_num_workers hub_model_revision model_code_revision text_column auto_insert_empty_system_msg truncation_side",
      moot(),
    ),
    ...each("chat_template", leaveOut("messages are rendered with the tokenizer's own chat template")),
    ...each(
      "base_model_revision",
      leaveOut("for an adapter, model_name_or_path is the base model and model_revision its revision"),
    ),
    dataset_mixer: mixer,
    dataset_splits: splits,
    dataset_configs: configs,
    dataset_mixture: mixture,
  },
};
