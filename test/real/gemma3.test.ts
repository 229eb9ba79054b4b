import { compare } from "./evidence";

compare("gemma-3-270m");
