/** @param entry file below src/verifier; @param globalName where its exports go */
export function bundle(entry: string, globalName?: string): string;
export function verifierPage(): string;
