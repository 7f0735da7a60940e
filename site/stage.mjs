// Copies the documents of the tree to where VitePress reads them:  node stage.mjs TREE MAN DIRECTORY
//
// A document keeps its place, README.md becomes index.md. A manual page becomes a document in man/. A file that is no document,
// but that one links to (an example, say), becomes a page that shows it, so that no link leads out of the site.
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'

const [tree, man, out] = process.argv.slice(2).map((name) => resolve(name))
const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'MAINTAINERS.md', 'examples/README.md', ...markdown('docs')]
const shown = new Set()

function markdown(directory) {
  return readdirSync(join(tree, directory), { recursive: true }).filter((name) => name.endsWith('.md')).map((name) => join(directory, name))
}

function write(name, text) {
  mkdirSync(dirname(join(out, name)), { recursive: true })
  writeFileSync(join(out, name), text)
}

const renamed = (name) => name.replace(/README\.md$/, 'index.md')

// pageOf: the page of a file or directory of the tree that is no document.
function pageOf(name) {
  shown.add(name)
  return name + (statSync(join(tree, name)).isDirectory() ? '/index.md' : '.md')
}

// link: where a link of a document leads on the site.
function link(from, target) {
  if (/^([a-z]+:|#)/.test(target)) return target
  const [path, anchor] = target.split('#')
  const name = relative(tree, resolve(tree, dirname(from), path))
  if (name.startsWith('..')) throw new Error(`${from}: the link ${target} leads out of the tree`)
  const place = documents.includes(name) ? renamed(name) : documents.includes(join(name, 'README.md')) ? join(name, 'index.md') : pageOf(name)
  let path2 = relative(dirname(from), place)
  if (!path2.startsWith('.')) path2 = './' + path2
  return path2 + (anchor ? '#' + anchor : '')
}

// outsideCode changes what is not in a block or a span of code.
function outsideCode(text, change) {
  return text.split(/(^ *```[^]*?^ *```|`[^`\n]+`)/m).map((part, i) => (i % 2 ? part : change(part))).join('')
}

// A link's text may have code in it, so the target alone is looked for.
const links = (from, text) => outsideCode(text, (part) => part.replace(/\]\(([^)\s]+)\)/g, (_, target) => `](${link(from, target)})`))

// fence shows a text as it is.
const fence = (language, text) => `\`\`\`\`\`${language}\n${text.replace(/\n*$/, '\n')}\`\`\`\`\`\n`

function showFile(name) {
  const language = { '.go': 'go', '.toml': 'toml', '.conf': 'toml', '.json': 'json', '.yaml': 'yaml' }[extname(name)]
  const text = readFileSync(join(tree, name), 'utf8')
  write(name + '.md', `# \`${name}\`\n\n${fence(language ?? (text.startsWith('#!') ? 'bash' : 'text'), text)}`)
}

function showDirectory(name) {
  const entries = readdirSync(join(tree, name)).filter((entry) => statSync(join(tree, name, entry)).isFile())
  write(join(name, 'index.md'), `# \`${name}\`\n\n${entries.map((entry) => `- [${entry}](./${entry}.md)\n`).join('')}`)
  for (const entry of entries) if (!documents.includes(join(name, entry))) showFile(join(name, entry))
}

// manual: a page of man/main.go in Markdown. It knows the requests that are written there, and no other.
function manual(name, text) {
  const plain = (s) => s.replaceAll('\\&', '').replaceAll('\\-', '-').replaceAll('\\e', '\\')
  const escape = (s) => s.replace(/[\\`*_[\]<>{}|#]/g, '\\$&')
  const reference = (s) => s.replace(/^(oci-run\S*) \(8\)/, (_, page) => `[${page}(8)](./${page}.8.md)`).replace(/^(\w+) \((\d)\)/, '$1($2)')
  let body = `# ${name.replace('.8', '')}(8)\n`
  let code = false
  let entry = false
  for (const line of text.trimEnd().split('\n')) {
    const [, request, rest] = /^\.(\w+) ?(.*)$/.exec(line) ?? []
    const words = plain(rest ?? line)
    if (code && request !== 'fi') body += words + '\n'
    else if (request === undefined) body += escape(words) + '\n'
    else if (request === 'SH') body += `\n## ${words[0] + words.slice(1).toLowerCase()}\n\n`
    else if (request === 'TP') entry = true
    else if (request === 'B' && entry) { body += `\n**${escape(words)}**\\\n`; entry = false }
    else if (request === 'B') body += `\`${words}\`\n`
    else if (request === 'BR') body += reference(words) + '\n'
    else if (request === 'PP') body += '\n'
    else if (request === 'nf') { body += '```sh\n'; code = true }
    else if (request === 'fi') { body += '```\n'; code = false }
    else if (!['TH', 'nh', 'ad', 'RS', 'RE'].includes(request)) throw new Error(`${name}: unknown request ${line}`)
  }
  write(`man/${name}.md`, body)
}

for (const name of documents) write(renamed(name), links(name, readFileSync(join(tree, name), 'utf8')))
const pages = readdirSync(man).filter((name) => name.endsWith('.8')).sort()
for (const name of pages) manual(name, readFileSync(join(man, name), 'utf8'))
write('man/index.md', `# Manual pages\n\n${pages.map((name) => `- [${name.replace('.8', '')}(8)](./${name}.md)\n`).join('')}`)
for (const name of shown) statSync(join(tree, name)).isDirectory() ? showDirectory(name) : showFile(name)
