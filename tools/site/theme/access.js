// What scrolls is reached by the keyboard too. The row of buttons beside code is no landmark: all rows have one name.
const SCROLLING = ".md-typeset__scrollwrap, pre > code, dialog div:has(> [role=listbox])";
const PALE = "menu[id$='-path'] { color: rgb(var(--color-foreground) / 0.75) !important }"; // where a result stands

const watch = (root) => {
  const reach = () => {
    for (const each of root.querySelectorAll(SCROLLING)) {
      if (each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight) each.tabIndex = 0;
    }
    for (const each of root.querySelectorAll(".md-code__nav")) each.setAttribute("role", "presentation");
  };
  new MutationObserver(reach).observe(root, { childList: true, subtree: true });
  addEventListener("resize", reach);
  reach();
};

// The search is in a tree of its own, once it is there.
const found = new MutationObserver(() => {
  const search = [...document.body.children].find((each) => each.shadowRoot);
  if (!search) return;
  found.disconnect();
  const style = document.createElement("style");
  style.textContent = PALE;
  search.shadowRoot.append(style);
  watch(search.shadowRoot);
});
found.observe(document.body, { childList: true });
watch(document.body);
