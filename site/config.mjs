// The site of docs/: VitePress (https://vitepress.dev) as it comes, with a sidebar. stage.mjs has copied the documents here.
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dirname, join } from 'node:path'

const source = join(dirname(fileURLToPath(import.meta.url)), '..')

// entry: a page of the sidebar, by its own heading.
function entry(name) {
  const text = readFileSync(join(source, name + '.md'), 'utf8')
  const title = /^# (.+)$/m.exec(text)[1].replaceAll('`', '')
  return { text: title, link: '/' + name }
}

const group = (text, names, collapsed = false) => ({ text, collapsed, items: names.map(entry) })
const inside = (directory) => readdirSync(join(source, directory)).filter((name) => name.endsWith('.md')).map((name) => name.slice(0, -3))

const topics = ['systemd', 'rootless', 'user-namespaces', 'terminals', 'seccomp', 'hooks', 'checkpoint', 'troubleshooting', 'tracing']
const sidebar = [
  group('Begin', ['docs/getting-started', 'docs/engines', 'docs/kubernetes', 'examples/index', 'docs/from-runc', 'docs/from-crun']),
  group('Topics', topics.map((name) => 'docs/' + name)),
  group('Reference', ['docs/spec-conformance', 'docs/SECURITY', 'CHANGELOG']),
  group('Manual pages', inside('man').filter((name) => name !== 'index').map((name) => 'man/' + name), true),
  group('Work on it', ['CONTRIBUTING', 'docs/testing', 'docs/performance', 'docs/adding-a-property', 'docs/RELEASING', 'MAINTAINERS']),
  group('Design', ['architecture', 'lists', 'seccomp', 'security', 'dependencies', 'glossary'].map((name) => 'docs/design/' + name), true),
  group('Results', inside('docs/results').filter((name) => name !== 'index').reverse().map((name) => 'docs/results/' + name), true),
]

// No document is out of reach.
const linked = new Set(sidebar.flatMap((group) => group.items.map((item) => item.link)))
for (const directory of ['docs', 'docs/design']) {
  for (const name of inside(directory)) {
    if (name !== 'index' && !linked.has(`/${directory}/${name}`)) throw new Error(`site/config.mjs: ${directory}/${name}.md is not in the sidebar`)
  }
}

// slug: of a heading, as forges make it, because links in the documents are written for these.
const slug = (text) => text.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-')

// plain: braces in a document are braces, not a template of Vue's.
function plain(markdown) {
  const rules = markdown.renderer.rules
  for (const name of ['text', 'code_inline']) {
    const rule = rules[name]
    rules[name] = (...token) => rule(...token).replaceAll('{{', '&#123;&#123;')
  }
}

export default {
  title: 'oci-run',
  description: 'An OCI runtime in Go: one static binary in the place of runc or crun',
  base: process.env.SITE_BASE ?? '/',
  outDir: process.env.SITE_OUT,
  cacheDir: join(source, '.cache'),
  ignoreDeadLinks: false,
  lastUpdated: false,
  markdown: { html: false, anchor: { slugify: slug }, config: plain },
  themeConfig: {
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [{ text: 'Getting started', link: '/docs/getting-started' }, { text: 'Conformance', link: '/docs/spec-conformance' }, { text: 'Manual', link: '/man/' }],
    sidebar,
  },
}
