/**
 * The rotary entries of `config.json`, in both generations of transformers: `rope_theta` and `rope_scaling` (4), or
 * `rope_parameters` (5). Entries that the kind of scaling does not use are not looked at.
 */
import { type LayerOptions, type RopeScaling, RotaryEmbedding } from "../nn";
import type { ConfigReader } from "./config";

export interface RopeConfig {
  theta: number;
  /** The dimensions of a head that turn. */
  dim: number;
  scaling: RopeScaling | undefined;
}

type Kind = "default" | RopeScaling["type"];
/** The kinds by their names in the config. */
type Kinds = Readonly<Record<string, Kind>>;

const kinds: Kinds = {
  default: "default",
  linear: "linear",
  dynamic: "dynamic",
  llama3: "llama3",
  yarn: "yarn",
  longrope: "longrope",
};

/** What an architecture differs in. */
interface RopeOptions {
  /** Whether it can leave some dimensions of a head as they are. */
  partial?: boolean;
  kinds?: Kinds;
}

/** What a config with one kind of rotary embedding says. */
export function ropeOf(config: ConfigReader, headDim: number, options: RopeOptions = {}): RopeConfig {
  // In transformers 5 a leftover `rope_scaling` wins.
  const entries = config.objectOrNone("rope_scaling", config.objectOrNone("rope_parameters"));
  const theta = config.number("rope_theta", { min: 1, fallback: 10_000 });
  return ropeFrom(entries, { config, headDim, theta, ...options });
}

/** What one object of rotary entries says; `theta` is its default. */
export function ropeFrom(
  entries: ConfigReader,
  options: RopeOptions & { config: ConfigReader; headDim: number; theta: number },
): RopeConfig {
  const { config, headDim, theta, partial = false } = options;
  if (!partial) for (const each of [config, entries]) each.only("partial_rotary_factor", [1]);
  const share = [entries, config].find((each) => each.has("partial_rotary_factor")) ?? entries;
  const dim = Math.trunc(headDim * share.number("partial_rotary_factor", { min: 0, max: 1, fallback: 1 }));
  return {
    theta: entries.number("rope_theta", { min: 1, fallback: theta }),
    dim,
    scaling: scalingOf(entries, config, dim, options.kinds),
  };
}

function scalingOf(entries: ConfigReader, config: ConfigReader, dim: number, names = kinds): RopeScaling | undefined {
  const type = names[entries.choice(entries.has("rope_type") ? "rope_type" : "type", Object.keys(names), "default")]!;
  const maxPositions = config.size("max_position_embeddings");
  // One next to the scaling's entries wins (Phi-3).
  const originalMaxPositions = config.size(
    "original_max_position_embeddings",
    entries.size("original_max_position_embeddings", maxPositions),
  );
  const factor = () => entries.number("factor", { min: 1 });
  const extension = () => entries.positive("factor") ?? maxPositions / originalMaxPositions;
  switch (type) {
    case "default":
      return undefined;
    case "linear":
      return { type, factor: factor() };
    case "dynamic":
      return { type, factor: factor(), maxPositions };
    case "llama3": {
      const lowFreqFactor = entries.number("low_freq_factor", { min: 0 });
      const highFreqFactor = entries.number("high_freq_factor", { min: 0 });
      return { type, factor: factor(), lowFreqFactor, highFreqFactor, originalMaxPositions };
    }
    case "yarn":
      return {
        type,
        factor: extension(),
        attentionFactor: entries.positive("attention_factor") ?? yarnAttention(entries, extension()),
        betaFast: entries.positive("beta_fast") ?? 32,
        betaSlow: entries.positive("beta_slow") ?? 1,
        originalMaxPositions,
        truncate: entries.boolean("truncate", true),
      };
    case "longrope":
      if (originalMaxPositions < 2)
        throw new RangeError(`Expected at least 2 for 'original_max_position_embeddings' but received 1`);
      return {
        type,
        shortFactors: entries.list("short_factor", dim / 2),
        longFactors: entries.list("long_factor", dim / 2),
        attentionFactor:
          entries.positive("attention_factor") ??
          Math.sqrt(1 + Math.log(Math.max(1, extension())) / Math.log(originalMaxPositions)),
        originalMaxPositions,
      };
  }
}

/** Section 3.4 of the YaRN paper; with DeepSeek's `mscale` and `mscale_all_dim` their quotient. */
function yarnAttention(entries: ConfigReader, factor: number): number {
  const temperature = (scale = 1) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const [scale, scaleAll] = [entries.positive("mscale"), entries.positive("mscale_all_dim")];
  return scale && scaleAll ? temperature(scale) / temperature(scaleAll) : temperature();
}

export function rotary({ theta, dim, scaling }: RopeConfig, { device }: LayerOptions): RotaryEmbedding {
  return new RotaryEmbedding(dim, { theta, scaling, device });
}
