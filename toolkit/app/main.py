"""What Streamlit runs for every look at the app: the frame, and the page that was chosen."""

from toolkit.app import layout

layout.show()
