/** Emits what happens in a run as events of the trainer. */
import type { EventEmitter } from "node:events";
import type { MemoryPlan } from "../memory";
import type { LogLine } from "../metrics/names";
import type { TrainingStep } from "../metrics/trainingStep";
import type { Preparation } from "../prepare/prepare";
import type { RunObserver } from "./observer";

/** The events of a trainer, with the arguments of their listeners. */
export interface TrainerEvents {
  /** Everything is ready for the first step. */
  prepared: [preparation: Preparation];
  /** Progress of the reference pass, in pairs. */
  reference: [done: number, total: number];
  step: [step: TrainingStep, totalSteps: number];
  log: [line: LogLine];
  evaluate: [line: LogLine];
  save: [folder: string];
  /** Batches are smaller from now on, since the device ran out of memory. */
  plan: [plan: MemoryPlan];
  warning: [message: string];
}

export class TrainerEventObserver implements RunObserver {
  constructor(
    private readonly events: EventEmitter<TrainerEvents>,
    private readonly totalSteps: number,
  ) {}

  afterStep(step: TrainingStep): void {
    if (step.logged) this.events.emit("log", step.logged);
    this.events.emit("step", step, this.totalSteps);
  }

  afterEvaluation(line: LogLine): void {
    this.events.emit("evaluate", line);
  }

  onSave(folder: string): void {
    this.events.emit("save", folder);
  }

  onSmallerPlan(plan: MemoryPlan): void {
    this.events.emit("plan", plan);
  }

  onWarning(message: string): void {
    this.events.emit("warning", message);
  }
}
