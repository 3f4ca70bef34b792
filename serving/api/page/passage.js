// The dialog that shows one passage of a document, whole.

export class PassageDialog {
  constructor(dialog) {
    this.dialog = dialog;
    dialog.querySelector("header button").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // the backdrop
    });
  }

  /** Show a citation as the API has it. */
  show({ document_id: id, title, source, headings, page, text }) {
    this.dialog.querySelector("h2").textContent = title || id;
    const place = [source, ...headings.filter((heading) => heading !== title), page && `page ${page}`];
    this.dialog.querySelector(".place").textContent = [...new Set(place.filter(Boolean))].join(" · ");
    this.dialog.querySelector("blockquote").textContent = text;
    this.dialog.showModal();
  }
}
