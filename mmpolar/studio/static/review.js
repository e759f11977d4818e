// Lets a review page (mmpolar/mining/review/page.html, whose names these are) load the decisions that are
// in the file beside it, and write each new one there at once.
(async () => {
  const url = location.pathname.replace('/reviews/', '/api/reviews/');
  const checked = async (answer) => {
    const response = await answer;
    if (!response.ok) throw new Error(await response.text());
    return response;
  };
  const indices = new Map(items.map((item, index) => [item.key, index]));
  for (const one of await (await checked(fetch(url))).json()) {
    const index = indices.get(one.key), known = made.get(index);
    if (index !== undefined && (!known || one.time > known.t)) {
      made.set(index, { d: one.decision, box: one.box, t: one.time });
    }
  }
  handle = {
    createWritable: async () => ({
      write: (lines) => checked(fetch(url, { method: 'POST', body: JSON.stringify({ lines }) })),
      close: async () => {},
    }),
  };
  if (unsaved) writeSoon();
  layOut();
})();
