import { kept } from "./storage.js";

/** The token of a server that asks for one: kept until the tab is closed. */
export const token = kept("lablr-token", "sessionStorage");
