/**
 * `router_aux_loss_coef`, the weight of the loss that balances tokens across a mixture's experts. That loss is not
 * implemented, so the value must be 0 or null for a mixture. As in TRL 1.16, it must be null for a dense model.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readInputJson } from "../../base/files/inputFiles";
import { conflict, type Problem } from "../../base/problems";
import { isObject } from "../../base/values";

const KEY = "router_aux_loss_coef";

interface Setting {
  readonly modelNameOrPath: string | null;
  readonly routerAuxLossCoef: number | null;
}

/** What is wrong with the value, if the model's local folder shows whether it is a mixture. */
export function routerLossProblems({ modelNameOrPath: folder, routerAuxLossCoef: coef }: Setting): Problem[] {
  if (coef === null || folder === null) return [];
  return routerLossProblemsOf(coef, isMixtureFolder(folder), folder);
}

/** @param isMixture undefined if unknown */
export function routerLossProblemsOf(coef: number | null, isMixture: boolean | undefined, model: string): Problem[] {
  if (coef === null) return [];
  if (isMixture === false)
    return [conflict(KEY, `null for '${KEY}' with ${model}, which is not a mixture of experts,`, `${coef}; leave it out`)];
  if (coef === 0) return [];
  return [conflict(KEY, `0 for '${KEY}'`, `${coef}: the auxiliary loss of mixtures is not supported yet; write ${KEY}: 0`)];
}

/** The note for a mixture when no coefficient is given. */
export const NO_ROUTER_LOSS = `no auxiliary loss is added for the mixture's router, unlike in TRL; set ${KEY}: 0 to silence this note`;

function isMixtureFolder(folder: string): boolean | undefined {
  const file = join(folder, "config.json");
  if (!existsSync(file)) return undefined;
  try {
    const config = readInputJson(file, "a model's configuration");
    return isObject(config) ? Object.keys(config).some((key) => /^(num_(local_)?|n_routed_)experts$/.test(key)) : undefined;
  } catch {
    return undefined; // loading the model reports what is wrong
  }
}
