"""Telink's update over the air, and pvvx' extension of it."""
