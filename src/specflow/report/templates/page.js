// What folds, filters and enlarges. Without scripts the page is whole, but for thumbnails.
(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A link into a fold opens it; to a claim that the filter hides, it ends the filter.
  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) show("");
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  document.addEventListener("click", event => {  // the same link again changes no hash
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });

  function show(verdict) {
    for (const button of all("[data-show]")) {
      button.setAttribute("aria-pressed", button.dataset.show === verdict);
    }
    for (const one of all("[data-verdicts]")) {
      one.hidden = verdict !== "" && !one.dataset.verdicts.split(" ").includes(verdict);
    }
  }
  for (const button of all("[data-show]")) {
    button.addEventListener("click", () => show(button.dataset.show));
  }

  for (const image of all("img[data-figure]")) {
    const full = document.getElementById(image.dataset.figure).querySelector("img");
    image.loading = "lazy";
    image.src = full.getAttribute("src");
  }

  // A figure alone on the screen is a step of the history: Escape, the button and back all end it.
  const box = document.querySelector("dialog.large");
  const picture = box.querySelector("img");
  function enlarge(id) {
    const figure = document.getElementById(id);
    picture.src = figure.querySelector("img").getAttribute("src");
    picture.className = "";
    box.querySelector("p").textContent = figure.querySelector("figcaption p").textContent;
    if (!box.open) box.showModal();
  }
  for (const button of all(".enlarge")) {
    button.addEventListener("click", () => {
      const id = button.closest("figure").id;
      history.pushState({ enlarged: id }, "");
      enlarge(id);
    });
  }
  picture.addEventListener("click", () => picture.classList.toggle("whole"));
  const back = event => {
    event.preventDefault();
    history.back();
  };
  box.addEventListener("cancel", back);
  box.querySelector("button").addEventListener("click", back);
  addEventListener("popstate", event => {
    if (event.state?.enlarged) enlarge(event.state.enlarged);
    else if (box.open) box.close();
  });

  // On paper nothing is folded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    for (const one of folded) one.open = true;
    for (const image of all("img[loading]")) image.loading = "eager";
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
  });

  for (const place of all(".curves")) drawCurves(place);
  if (history.state?.enlarged) enlarge(history.state.enlarged);
  else if (location.hash) reveal();
})();
