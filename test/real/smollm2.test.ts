import { compare } from "./evidence";

compare("SmolLM2-135M-Instruct");
