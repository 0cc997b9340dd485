import crypto from 'crypto';
import fs from 'fs';

/** Compares digests, so that the time taken says nothing about the token. `complain` writes into NGINX's error log. */
export function holdsToken(given: string, file: string, complain: (message: string) => void): boolean {
  const token = readToken(file, complain);
  return token.length >= 16 && sha256(given) === sha256(token);
}

/** Empty where there is none, which admits nobody. */
function readToken(file: string, complain: (message: string) => void): string {
  try {
    return fs.readFileSync(file).toString().trim();
  } catch (problem) {
    complain(`edgeward: reading the push token: ${(problem as Error).message}`);
    return '';
  }
}

function sha256(text: string): string {
  return crypto.createHash('sha256').update(text).digest('hex');
}
