import { expect, test } from "vitest";
import { conflict, missing, problemsError, unfit, unknown, unwanted } from "../../src/base/problems";

const problems = [
  unfit("beta", "a number above 0", "0"),
  unknown("learning_rte", "learning_rate"),
  unwanted("sequence_len", 4096, "it is axolotl's; write max_length: 4096", "Keys of axolotl's:", "write max_length: 4096"),
  conflict(["loss_weights", "loss_type"], "2 numbers for 'loss_weights'", "1"),
  missing("dataset_name", "a file or a hub id"),
];

test("one problem is a sentence that names the place", () => {
  expect(problems.map((each) => problemsError([each], " in dpop.yaml").message)).toEqual([
    "Expected a number above 0 for 'beta' in dpop.yaml but received 0",
    "Unknown key 'learning_rte' in dpop.yaml; did you mean 'learning_rate'?",
    "Expected no 'sequence_len' in dpop.yaml but received 4096: it is axolotl's; write max_length: 4096",
    "Expected 2 numbers for 'loss_weights' in dpop.yaml but received 1",
    "Expected 'dataset_name' in dpop.yaml but received none: a file or a hub id",
  ]);
});

test("several are a list, by kind", () => {
  expect(problemsError(problems, " in dpop.yaml", "The end").message.split("\n")).toEqual([
    "Expected a valid configuration in dpop.yaml but received one with 5 problems:",
    "Invalid values:",
    "  beta: expected a number above 0 but received 0",
    "  loss_weights: expected 2 numbers for 'loss_weights' but received 1",
    "Unknown keys:",
    "  learning_rte: unknown; did you mean 'learning_rate'?",
    "Keys of axolotl's:",
    "  sequence_len: write max_length: 4096",
    "Missing:",
    "  dataset_name: a file or a hub id",
    "The end",
  ]);
});

test("a problem names every key that it is about", () => {
  expect(problems.map(({ keys }) => keys)).toEqual([
    ["beta"],
    ["learning_rte"],
    ["sequence_len"],
    ["loss_weights", "loss_type"],
    ["dataset_name"],
  ]);
});

test("the sentence of a conflict is as given; a whole sentence stays as it is", () => {
  expect(conflict("a", "'b' with 'a'", "none; leave it out").sentence(" in x.yaml")).toBe(
    "Expected 'b' with 'a' in x.yaml but received none; leave it out",
  );
  expect(conflict("a", "Expected 'b' with 'a': it is needed").sentence(" in x.yaml")).toBe("Expected 'b' with 'a': it is needed");
});
