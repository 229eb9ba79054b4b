/**
 * Worked examples before a question, in the evaluation harness's format: prompt and right answer, then an empty line.
 * Of each prompt they are drawn by its row's own random stream, so that neither the order nor the number of rows that
 * are taken changes them.
 */
import { Random } from "../../base/random";
import { type RecipeQuestion, type Shot, Unusable } from "./recipe";

/** Beyond this, examples are drawn from a uniform sample of the rows: it has to fit into memory. */
export const POOL_SIZE = 8_192;

const SEPARATOR = "\n\n";

/** The examples to draw from: all rows, or a uniform sample of {@link POOL_SIZE} (Vitter's algorithm R). */
export class ShotPool {
  private readonly sample: (Shot | undefined)[] = [];
  private shots: Shot[] | undefined;
  private readonly random: Random;
  private seen = 0;

  constructor(
    private readonly seed: number,
    private readonly maxShots: number,
  ) {
    this.random = new Random(seed, "pool");
  }

  /** Offers the next row; it is read only when the sample takes it. One that is unusable then is not used as an example. */
  offer(read: () => RecipeQuestion | Unusable): void {
    const place = this.seen < POOL_SIZE ? this.seen : this.random.integer(0, this.seen);
    this.seen++;
    if (place < POOL_SIZE) this.sample[place] = shotOf(read());
  }

  /**
   * The examples for a row: from 0 to `maxShots`, each number equally likely, none of which asks what the row or
   * another of them asks. Fewer where the pool has no more.
   */
  draw(index: number, subject: string): Shot[] {
    const shots = (this.shots ??= this.sample.filter((shot) => shot !== undefined));
    const random = new Random(this.seed, `shots ${index}`);
    const wanted = random.integer(0, this.maxShots);
    const subjects = new Set([subject]);
    // Fisher and Yates, as far as it goes: `moved` holds what a shuffled copy would hold elsewhere than the pool.
    const moved = new Map<number, number>();
    const drawn: Shot[] = [];
    for (let i = 0; i < shots.length && subjects.size <= wanted; i++) {
      const j = random.integer(i, shots.length - 1);
      const shot = shots[moved.get(j) ?? j]!;
      moved.set(j, moved.get(i) ?? i);
      if (subjects.has(shot.subject)) continue;
      subjects.add(shot.subject);
      drawn.push(shot);
    }
    return drawn;
  }
}

function shotOf(row: RecipeQuestion | Unusable): Shot | undefined {
  if (row instanceof Unusable) return undefined;
  // Joined, not added: it is read often, and adding leaves it in pieces.
  return { subject: row.subject, text: [row.prompt, row.answer, SEPARATOR].join("") };
}
