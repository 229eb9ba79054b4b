/** The names that `lr_scheduler_type` may have, where libtorch is not loaded yet. */
export const scheduleNames = [
  "linear",
  "cosine",
  "cosine_with_restarts",
  "polynomial",
  "constant",
  "constant_with_warmup",
  "inverse_sqrt",
  "cosine_with_min_lr",
  "cosine_warmup_with_min_lr",
  "warmup_stable_decay",
] as const;

export type ScheduleName = (typeof scheduleNames)[number];
