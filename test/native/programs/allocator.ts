/** The allocator under traffic, in a process of its own: `allocator.ts SCENARIO` reports MB. */
import { empty, emptyCache, keep, memory, ones, TensorScope, tidy } from "../../../src/torch";
import { report } from "../../setup/report";

const MB = 2 ** 20;
const resident = () => process.memoryUsage.rss() / MB;
const peak = () => process.resourceUsage().maxRSS / 1024;

const scenarios: Record<string, () => unknown> = {
  /** 51 MB live at a time, 7.5 GB in all. */
  scopes() {
    const x = ones([MB / 4]); // opens libtorch
    const before = resident();
    for (let i = 0; i < 150; i++) {
      using _ = new TensorScope();
      for (let k = 0; k < 50; k++) x.add(1);
    }
    return { before, peak: peak(), most: memory().peak / MB };
  },

  /** Sizes from a kilobyte to 4 MB in an irregular order, a few of them kept for a while. */
  sizes() {
    const held = Array.from({ length: 40 }, () => empty([0]));
    let state = 1;
    let early = 0;
    for (let i = 0; i < 30_000; i++) {
      state = (state * 48271) % 2147483647;
      const at = i % held.length;
      held[at]!.dispose();
      held[at] = tidy(() => keep(empty([256 * (1 + (state % (i % 7 === 0 ? 4096 : 64)))]).zero_()));
      if (i === 10_000) early = resident();
    }
    return { early, late: resident(), most: memory().peak / MB, cached: memory().cached / MB };
  },

  emptyCache() {
    const x = ones([16]);
    const full = tidy(() => {
      for (let i = 0; i < 400; i++) ones([MB / 16]); // 100 MB in blocks glibc keeps in its own heap
      return resident();
    });
    const { cached } = memory();
    emptyCache("cpu");
    return { full, cached: cached / MB, after: resident(), left: memory().cached, intact: x.sum().item() };
  },
};

report(scenarios[process.argv[2]!]!());
