// Elements of the page.

export const $ = (id) => document.getElementById(id);

export function element(tag, content, className = '') {
  const made = document.createElement(tag);
  made.append(content);
  made.className = className;
  return made;
}
