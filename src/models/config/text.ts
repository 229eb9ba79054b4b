/**
 * `config.json` as text. JavaScript writes 30.0 as 30, and transformers refuses an integer where its class declares a
 * float: those entries get their point back.
 */
const FLOATS = [
  "attn_logit_softcapping",
  "final_logit_softcapping",
  "initializer_range",
  "rms_norm_eps",
  "router_aux_loss_coef",
  "router_jitter_noise",
];
const INTEGER_FLOAT = new RegExp(`^( *"(?:${FLOATS.join("|")})": -?\\d+)(?=,?$)`, "gm");

export function configText(config: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(config, null, 2).replace(INTEGER_FLOAT, "$1.0")}\n`;
}
