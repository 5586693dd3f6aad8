// Lists the documented responses that no test has seen. usage: node unseen.mjs OPENAPI.JSON SEEN.TXT
import { existsSync, readFileSync } from 'node:fs';

const [document, file] = process.argv.slice(2);
if (!existsSync(file)) {
  console.log('No test has been run: it is unknown which documented responses the tests see.');
  process.exit(0);
}
const seen = new Set(readFileSync(file, 'utf8').split('\n'));
const operations = Object.values(JSON.parse(readFileSync(document, 'utf8')).paths)
  .flatMap(item => Object.values(item))
  .filter(operation => operation.operationId);
const unseen = operations.flatMap(({ operationId, responses }) =>
  Object.keys(responses).filter(status => status !== 'default').map(status => `${operationId} ${status}`))
  .filter(response => !seen.has(response));
console.log(`Documented responses that the client of the tests has not seen: ${unseen.join(', ') || 'none'}`);
