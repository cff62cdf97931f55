// abcjs's warnings on each file named on stdin, a line each; see check_abc_output.py.
const abcjs = require('abcjs');
const fs = require('fs');
const path = require('path');

for (const file of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  let warnings;
  try {
    const tunes = abcjs.parseOnly(fs.readFileSync(file, 'utf8'));
    warnings = tunes.flatMap((tune) => tune.warnings || []);
    if (tunes.length !== 1) warnings.push(`${tunes.length} tunes`);
  } catch (error) {
    warnings = [`throws ${error.message}`];
  }
  for (const warning of warnings) console.log(`${path.basename(file)} abcjs ${warning.replace(/\s+/g, ' ')}`);
}
