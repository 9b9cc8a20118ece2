/** Templates in the syntax of eta, by name. `<%= %>` escapes. */
export const TEMPLATES = {
  layout: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title><%= it.title %> · Books</title>
<style>
:root { color-scheme: light dark; --soft: color-mix(in srgb, currentColor 14%, transparent); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1.5rem; }
header, footer { display: flex; flex-wrap: wrap; gap: 1rem; align-items: baseline; }
header { border-bottom: 1px solid var(--soft); margin-bottom: 1.5rem; padding-bottom: .75rem; }
header strong { margin-right: auto; font-size: 1.2rem; }
footer { border-top: 1px solid var(--soft); margin-top: 2rem; padding-top: .75rem; font-size: .85rem; opacity: .75; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--soft); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
form { display: inline-flex; gap: .5rem; }
input, button { font: inherit; padding: .25rem .6rem; }
input { width: 9rem; }
</style>
</head>
<body>
<header><strong>Books</strong><a href="/">Home</a><a href="/about">About</a><a href="/docs">API</a></header>
<main>
<%~ it.body %>
</main>
<footer><span>Rendered by the handler at <time><%= it.renderedAt %></time>: a cached page keeps this time.</span></footer>
</body>
</html>
`,

  home: `<% layout('@layout', { title: 'Home' }) %>
<h1>Classics of world literature</h1>
<% if (it.reader) { %>
<p>Welcome, <%= it.reader %>. This page is yours, so it is not cached.</p>
<form method="post" action="/logout"><button>Log out</button></form>
<% } else { %>
<form method="post" action="/login">
<input name="name" placeholder="Any name" aria-label="Name" pattern="[a-z0-9\\-]{1,40}" required>
<button>Log in</button>
</form>
<% } %>
<p><%= it.total %> books in <%= it.languages %> languages. Logged in now: <span id="readers"><%= it.readers %></span>.</p>
<table>
<thead><tr><th>Title</th><th>Author</th><th class="number">Year</th><th class="number">Price</th></tr></thead>
<tbody>
<% for (const book of it.books) { %>
<tr>
<td><a href="/books/<%= book.name %>/page"><%= book.title %></a></td>
<td><%= book.author %></td>
<td class="number"><%= book.year %></td>
<td class="number"><%= book.price.toFixed(2) %></td>
</tr>
<% } %>
</tbody>
</table>
`,

  book: `<% layout('@layout', { title: it.book.title }) %>
<h1><%= it.book.title %></h1>
<p>by <%= it.book.author %>, <%= it.book.year %>, written in <%= it.book.language %></p>
<p>Price: <strong id="price"><%= it.book.price.toFixed(2) %></strong> (invented, like every price here)</p>
<form id="reprice" data-book="/books/<%= it.book.name %>">
<input name="price" type="number" min="0" max="10000" step="0.01" value="<%= it.book.price %>" aria-label="Price" required>
<button>Change the price</button>
</form>
<script>
document.querySelector('#reprice').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const answer = await fetch(form.dataset.book, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ price: Number(form.elements.price.value) }),
  });
  if (answer.ok) location.reload();
  else alert('The price was refused: ' + answer.status);
});
</script>
`,

  about: `<% layout('@layout', { title: 'About' }) %>
<h1>About</h1>
<p>A small shop that sells nothing. It shows what nestjs-caching does: look at the <code>X-Cache</code> and
<code>Cache-Status</code> headers of any answer, and at <a href="/stats">how often each handler ran</a>.</p>
<p>Authors, titles, years and languages are real; every price is invented.</p>
`,

  error: `<% layout('@layout', { title: it.status }) %>
<h1><%= it.status %></h1>
<p><%= it.message %></p>
`,
};
