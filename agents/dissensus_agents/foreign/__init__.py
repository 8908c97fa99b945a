"""Histories that other systems have written, brought into sessions of ours."""
