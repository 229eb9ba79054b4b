/** What the small model is trained and measured on: generated arithmetic and multiple choice, or a user's rows. */
import type { PlainRow } from "../../data/rows/preferences";
import type { Refusal } from "../../data/rows/screening";
import type { Settings } from "../settings";
import { arithmeticTask, choiceTask, rowsTask } from "../task";
import { splitIntoPieces } from "../vocabulary";
import { splitByDistance } from "./halves";
import type { SmallCorpora, SmallCorpus } from "./smallModel";

/** The reference of the multiple choice is stopped earlier: at 0.14 / 0.1 nats a token both are right in four of five. */
const CHOICE_GOAL = 0.1;

/** The corpora of the paper's comparison, made here. */
export function generatedCorpora(settings: Settings): SmallCorpora {
  const { heldOut } = settings.task;
  const arithmetic = (far: boolean, title: string): SmallCorpus => ({
    reference: "arithmetic",
    settings,
    makeTask: (seed) => arithmeticTask(seed, settings.task, far ? "high" : "low"),
    description: { title, heldOut, chance: 0, accuracy: "greedy answers whose final number is right" },
  });
  const { sft } = settings;
  const choices = { ...settings, sft: { ...sft, goalLoss: Math.min(CHOICE_GOAL, sft.goalLoss) } };
  return {
    low: arithmetic(false, "worked arithmetic, one intermediate result replaced"),
    high: {
      reference: "choices",
      settings: choices,
      makeTask: (seed) => choiceTask(seed, choices.task),
      description: {
        title: "multiple choice, the right answer against each wrong one",
        heldOut,
        chance: 1 / 4,
        accuracy: "questions whose right choice is the likeliest of four, by the character",
      },
    },
    control: arithmetic(true, "worked arithmetic, the rejected answer that of another problem"),
  };
}

/** A user's rows, as {@link splitByDistance} parts them. */
export function corporaOfRows(
  sources: readonly { readonly name: string; readonly rows: readonly PlainRow[]; readonly digest: string }[],
  settings: Settings,
  onRefusals: (name: string, refused: readonly Refusal[], rows: number) => void,
): SmallCorpora {
  const halves = splitByDistance(sources, ({ chosen, rejected }) => [splitIntoPieces(chosen), splitIntoPieces(rejected)]);
  const corpora = Object.entries(halves).map(([corpus, { name, digest, rows }]): [string, SmallCorpus] => {
    const makeTask = (seed: number) => rowsTask(rows, name, seed, settings.task);
    const { refused, heldOut } = makeTask(0); // how many does not depend on the seed
    if (refused.length > 0) onRefusals(name, refused, rows.length);
    return [
      corpus,
      {
        reference: corpus,
        settings,
        data: digest,
        makeTask,
        description: { title: name, heldOut: heldOut.length, chance: 0, accuracy: "greedy answers that end in the final answer" },
      },
    ];
  });
  return Object.fromEntries(corpora);
}
