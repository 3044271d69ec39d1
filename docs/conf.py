"Sphinx settings. tools/site.py stages the notebooks and calls Sphinx: make site"
import json

project = author = "l1g1000"
copyright = "The l1g1000 maintainers, Apache-2.0"
language = "en"
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx.ext.githubpages"]
exclude_patterns = ["files", "**.html.md"]
suppress_warnings = ["misc.highlighting_failure"] # the colouring does not know every magic (%%time above !ls); the code is shown all the same

# Notebooks: what is stored is shown, nothing is run
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "gfm"
myst_enable_extensions = ["alert", "amsmath", "deflist", "dollarmath", "html_image", "strikethrough", "tasklist"]
myst_heading_anchors = 4
mathjax_path = "mathjax/tex-svg.js" # put there by tools/site.py

html_context = dict(default_mode="auto") # light or dark as the reader's system says
html_theme = "pydata_sphinx_theme"
html_title = "l1g1000"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["offline.js"]
templates_path = ["_templates"]
html_sidebars = {"index": []}
html_copy_source = html_show_sourcelink = html_use_index = False
html_theme_options = dict(
    logo=dict(text="l1g1000"),
    icon_links=[],
    article_header_start=["breadcrumbs", "notebook-link"],
    secondary_sidebar_items=["page-toc"],
    footer_start=["copyright"], footer_end=[],
    pygments_light_style="friendly", pygments_dark_style="github-dark",
    show_toc_level=2, navigation_with_keys=False, use_edit_page_button=False)

def setup(app):
    "Give each page the address of its notebook"
    pages = json.loads((app.srcdir/"pages.json").read_text(encoding="utf-8"))
    repo = pages["repo"].split("/blob/")[0]
    app.config.html_theme_options["icon_links"] = [dict(name="Repository", url=repo, icon="fa-brands fa-github")]
    def source(app, pagename, templatename, context, doctree):
        if src := pages["sources"].get(pagename): context.update(notebook=src, notebook_url=pages["repo"] + src)
    app.connect("html-page-context", source)
