// npm run build: installs what is missing, generates the wire code, compiles to dist/.
import { build } from './lib.mjs';

await build();
