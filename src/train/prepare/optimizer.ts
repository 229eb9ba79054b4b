/** The optimizer of a run and its learning rate. */
import type { CausalLM } from "../../models";
import { AdamW, getSchedule, type Schedule } from "../../optim";
import type { Optimizer } from "../../optim/optimizer";
import type { TrainingArguments } from "../arguments";
import type { SchedulePlan } from "../schedule";

type Keys = "learningRate" | "weightDecay" | "adamBeta1" | "adamBeta2" | "adamEpsilon";

/** AdamW over what trains; norms and biases do not decay, as in Hugging Face's Trainer. */
export function createOptimizer(model: CausalLM, settings: Pick<TrainingArguments, Keys>): Optimizer {
  const { learningRate: lr, weightDecay, adamBeta1, adamBeta2, adamEpsilon: eps } = settings;
  const trained = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
  const decays = (name: string) => !/(^|[._])(bias|norm|layernorm)([._]|$)/.test(name);
  const group = (decaying: boolean) => trained.filter(([name]) => decays(name) === decaying).map(([, tensor]) => tensor);
  const groups = [
    { params: group(true), weightDecay },
    { params: group(false), weightDecay: 0 },
  ].filter(({ params }) => params.length > 0);
  return new AdamW(groups, { lr, betas: [adamBeta1, adamBeta2], eps });
}

/** The factor of the learning rate by step, counted from 0. */
export function createSchedule(
  settings: Pick<TrainingArguments, "lrSchedulerType" | "lrSchedulerKwargs" | "learningRate">,
  { warmupSteps, totalSteps }: SchedulePlan,
): Schedule {
  const { lrSchedulerType, lrSchedulerKwargs: kwargs, learningRate: baseLr } = settings;
  return getSchedule(lrSchedulerType, { warmupSteps, totalSteps, baseLr, kwargs });
}
